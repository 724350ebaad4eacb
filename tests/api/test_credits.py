"""Credits as an operator and a person meet them: given in the shell, spent through the API, and
right after a power cut at any point between the hold and the charge."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from program import run, wait_for

# A picture of the shipped model in its own size and one step costs 1 of its usual 2.
ORDER = {"prompt": "a red apple", "steps": 1}


def admin(program, *arguments):
    more = {name: value for name, value in program.more.items() if name != "PINHOLE_FAIL_AT"}
    done = run("admin", *arguments, cwd=program.folder, data=program.data, more=more)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def person_with(program, credits, *more):
    """Somebody with that many credits besides the welcome grant, and a client with their key."""
    email = f"p{credits}@example.org"
    added = admin(program, "person", "add", "--email", email, "--credits", str(credits), "--key", "--json", *more)
    key = json.loads(added)["api_key"]
    return email, key


def client(program, key):
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=program.url, headers=headers, timeout=120)


def prices(tmp_path, welcome=0):
    """The shipped prices with another welcome grant."""
    file = tmp_path / "prices.toml"
    file.write_text(
        f"[welcome]\ncredits = {welcome}\n"
        '[[price]]\nmodel = "*"\noperation = "draw"\nsizes = [{ credits = 2 }]\nby_steps = true\n'
    )
    return file


def available(http):
    return http.get("/v1/credits").json()["available"]


def order(http, count=1, **more):
    return http.post("/v1/images/generations", json=ORDER | {"n": count} | more)


def test_credits_are_given_spent_and_told(program, tmp_path):
    program.more = {"PINHOLE_PRICES": prices(tmp_path, welcome=5)}
    program.start()
    email, key = person_with(program, 3)
    with client(program, key) as http:
        start = available(http)
        assert start == 8
        answer = order(http, 2, max_credits=2)
        assert answer.status_code == 200, answer.text
        assert answer.json()["credits"] == {"quoted": 2, "charged": 2}
        assert available(http) == start - 2
        refused = order(http, 2, max_credits=1)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "max_credits_exceeded"
        given = admin(
            program, "credits", "grant", "--email", email, "--credits", "7", "--reason", "a gift", "--json"
        )
        assert json.loads(given)["available"] == start - 2 + 7
        entries = http.get("/v1/credits/entries").json()["data"]
        assert [entry["kind"] for entry in entries[:3]] == ["grant", "capture", "hold"]
        assert entries[0]["reason"] == "a gift"
    assert admin(program, "credits", "check").startswith("The books are right")


def test_a_wrong_price_list_is_refused_by_line(program, tmp_path):
    file = prices(tmp_path, welcome=-3)
    program.more = {"PINHOLE_PRICES": file}
    program.spawn()
    assert program.ended() != 0
    assert "prices.toml, line 2: credits is -3" in program.log(), program.log()


def test_64_orders_at_once_against_credits_for_ten(program, tmp_path):
    file = prices(tmp_path)
    program.more = {"PINHOLE_PRICES": file, "PINHOLE_ORDERS_PER_MINUTE": "6000"}
    program.start()
    _, key = person_with(program, 10)
    with client(program, key) as http:
        asynchronously = {"prefer": "respond-async"}

        def one(_):
            return http.post("/v1/images/generations", json=ORDER, headers=asynchronously).status_code

        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(one, range(64)))
        assert statuses.count(202) == 10, statuses
        assert statuses.count(402) == 54, statuses
        wait_for(lambda: http.get("/v1/credits").json()["held"] == 0, "the jobs to end", 300)
        assert available(http) == 0
    assert admin(program, "credits", "check").startswith("The books are right")


POINTS = [
    ("enqueue-uncommitted", 0),
    ("enqueue-committed", 1),
    ("claim-uncommitted", 1),
    ("claim-committed", 1),
    ("picture-stored", 1),
    ("finish-uncommitted", 1),
    ("finish-committed", 1),
    ("give-up-uncommitted", 0),
    ("give-up-committed", 0),
    ("cancel-uncommitted", None),
    ("cancel-committed", 0),
]


@pytest.mark.parametrize(("point", "charged"), POINTS)
def test_promise_pay_02_a_power_cut_neither_loses_nor_makes_a_credit(program, tmp_path, point, charged):
    """The process ends at a named point between the hold and the charge. After a restart the job
    ends once, and costs what it brought; an order that was never written costs nothing."""
    # So long that only what was drawn is given up.
    settings = {"PINHOLE_PRICES": prices(tmp_path), "PINHOLE_REPEAT_GRACE_MS": "600000"}
    program.more = settings | {"PINHOLE_FAIL_AT": point}
    program.start()
    _, key = person_with(program, 20)
    with client(program, key) as http:
        try:
            if point.startswith("give-up"):
                hang_up(http)
            else:
                job = http.post("/v1/images/generations", json=ORDER, headers={"prefer": "respond-async"})
            if point.startswith("cancel"):
                http.post(f"/v1/jobs/{job.json()['id']}/cancel")
        except httpx2.TransportError:
            pass
    wait_for(lambda: not program.alive(), f"the end at {point}")
    program.more = settings
    program.start()
    with client(program, key) as http:
        wait_for(lambda: http.get("/v1/credits").json()["held"] == 0, "the job to end", 120)
        jobs = http.get("/v1/jobs").json()["data"]
        delivered = sum(len(job["pictures"]) for job in jobs)
        assert available(http) == 20 - delivered
        if charged is not None:
            assert delivered == charged, jobs
    assert admin(program, "credits", "check").startswith("The books are right")


def hang_up(http):
    """Orders as an SDK does, and is gone before the picture is there."""
    body = ORDER | {"steps": 20, "stream": True}
    with http.stream("POST", "/v1/images/generations", json=body, headers={"x-stainless-retry-count": "0"}) as answer:
        assert answer.status_code == 200
