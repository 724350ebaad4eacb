"""The same request twice at once, over two connections: drawn once, charged once."""

import threading

import httpx2
import pytest
from test_credits import admin, available, client, person_with, prices

from program import wait_for

ROUNDS = 10
PATH = "/v1/images/generations"
ORDER = {"prompt": "a red apple", "steps": 1}


@pytest.fixture
def house(program, tmp_path):
    program.more |= {"PINHOLE_PRICES": prices(tmp_path), "PINHOLE_ORDERS_PER_MINUTE": "60000"}
    program.start()
    _, program.key = person_with(program, 100)
    return program


def at_once(house, headers):
    """What each of several requests is answered that leave at the same moment."""
    barrier = threading.Barrier(len(headers))
    answers = [None] * len(headers)

    def ask(number, more):
        with client(house, house.key) as http:
            # The connection is there already.
            http.get("/healthz")
            barrier.wait()
            answers[number] = http.post(PATH, json=ORDER, headers=more)

    asking = [threading.Thread(target=ask, args=one) for one in enumerate(headers)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    for answer in answers:
        assert answer.status_code == 200, answer.text
    return [answer.json() for answer in answers]


def test_one_key_on_many_connections_is_charged_once(house):
    with client(house, house.key) as http:
        for number in range(ROUNDS):
            before = available(http)
            answers = at_once(house, [{"idempotency-key": f"order {number}"}] * 4)
            assert len({answer["data"][0]["picture_id"] for answer in answers}) == 1
            assert available(http) == before - answers[0]["credits"]["charged"] == before - 1
        kinds = [entry["kind"] for entry in http.get("/v1/credits/entries?limit=100").json()["data"]]
        assert (kinds.count("hold"), kinds.count("capture")) == (ROUNDS, ROUNDS)
    assert admin(house, "credits", "check").startswith("The books are right")


def test_an_attempt_and_its_retry_are_charged_once(house):
    slow = ORDER | {"n": 2}
    with client(house, house.key) as http:
        for number in range(ROUNDS):
            before, orders = available(http), len(house.rows("SELECT id FROM job"))
            first = threading.Thread(target=attempt, args=(house, slow, 0))
            first.start()
            # The SDKs try again when they have sent it once.
            wait_for(lambda: len(house.rows("SELECT id FROM job")) > orders, "the first attempt")
            retry = attempt(house, slow, 1)
            first.join()
            assert retry.headers["idempotent-replayed"] == "true"
            assert available(http) == before - 2
        assert len(house.rows("SELECT id FROM job")) == ROUNDS
    assert admin(house, "credits", "check").startswith("The books are right")


def attempt(house, body, count):
    with client(house, house.key) as http:
        answer = http.post(PATH, json=body, headers={"x-stainless-retry-count": str(count)})
        assert answer.status_code == 200, answer.text
        return answer


def test_an_attempt_whose_connection_breaks_is_charged_with_its_retry_alone(house):
    with client(house, house.key) as http:
        for n in (1, 4):
            before = available(http)
            with pytest.raises(httpx2.TimeoutException):
                http.post(PATH, json=ORDER | {"n": n}, headers={"x-stainless-retry-count": "0"}, timeout=0.001)
            retry = http.post(PATH, json=ORDER | {"n": n}, headers={"x-stainless-retry-count": "1"})
            assert retry.status_code == 200, retry.text
            wait_for(lambda: http.get("/v1/credits").json()["held"] == 0, "every job to end")
            assert available(http) == before - n
    assert admin(house, "credits", "check").startswith("The books are right")
