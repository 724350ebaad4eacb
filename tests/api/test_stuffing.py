"""Ten thousand passwords at the door of the running program: none gets in, and nobody else is kept out."""

import http.client
import re
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest

from mailbox import Mailbox
from program import Program, wait_for

FORM = {"sec-fetch-site": "same-origin"}
PASSWORD = "three green apples"
OPERATOR, ANNA, BERT = "op@example.org", "anna@example.org", "bert@example.org"
TRIES, AT_ONCE, PER_NETWORK = 10_000, 4, 3
ALARM_WITHIN_MS = 60_000
# What a measure takes at once; from then on one more a second.
HOUSE_CAPACITY, ACCOUNT_CAPACITY = 100, 10


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.close()


def link(mailbox, address, path):
    found = lambda: [match[0] for letter in mailbox.to(address)
                     if (match := re.search(rf"http://\S+{path}\S+", letter.get_body(("plain",)).get_content()))]
    return wait_for(found, f"a letter with {path}")[0]


def member(program, mailbox, address):
    """A browser in which somebody signed up, and is out again."""
    browser = httpx2.Client(base_url=program.url, headers=FORM, timeout=120)
    form = {"address": address, "password": PASSWORD, "born": "1990-05-17"}
    assert browser.post("/sign-up", data=form).status_code == 200
    assert browser.post(link(mailbox, address, "/sign-up/"), data={"password": PASSWORD}).status_code == 303
    assert browser.post("/sign-out").status_code == 303
    return browser


def sign_in(browser, address):
    return browser.post("/sign-in", data={"address": address, "password": PASSWORD}).status_code


def network(number):
    """Of the 100.64.0.0/10 that belongs to nobody."""
    return f"100.{64 + number // 65_536}.{number // 256 % 256}.{number % 256}"


def guess(program, guesses):
    """Tries (network, address, password) one after the other, each as a stranger, and counts what was answered."""
    there = urlsplit(program.url)
    connection = http.client.HTTPConnection(there.hostname, there.port, timeout=120)
    answers = {}
    for number, address, password in guesses:
        headers = FORM | {"content-type": "application/x-www-form-urlencoded", "x-forwarded-for": network(number)}
        connection.request("POST", "/sign-in", urlencode({"address": address, "password": password}), headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.getheader("set-cookie") is None or answer.status == 303
        answers[answer.status] = answers.get(answer.status, 0) + 1
    connection.close()
    return answers


def subjects(mailbox, address):
    return [letter["subject"] for letter in mailbox.to(address)]


def test_promise_use_06_ten_thousand_guesses_let_nobody_in_and_keep_nobody_out(tmp_path, mailbox):
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url, PINHOLE_BEHIND_PROXY="true")
    program.start()
    try:
        welcome = re.search(r"make the first account: (\S+)", program.log())[1]
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as operator:
            form = {"address": OPERATOR, "password": PASSWORD, "adopt": "1"}
            assert operator.post(welcome, data=form).status_code == 303
        anna, bert = (member(program, mailbox, address) for address in (ANNA, BERT))
        assert sign_in(bert, BERT) == 303

        # Her account is guessed at, and the guesser happens to have the right password as well.
        wrong = [(number // PER_NETWORK, ANNA, f"guess number {number}") for number in range(4 * ACCOUNT_CAPACITY)]
        answers = guess(program, wrong)
        assert answers[429] >= 2 * ACCOUNT_CAPACITY and set(answers) <= {401, 429}, answers
        right = [(10_000 + number, ANNA, PASSWORD) for number in range(20)]
        assert guess(program, right) == {429: 20}

        def attack(part):
            """Half of them at her, half with pairs of a list."""
            for number in range(part, TRIES, AT_ONCE):
                address = ANNA if number % 2 else f"person{number}@example.org"
                yield 20_000 + number // PER_NETWORK, address, f"guess number {number}"

        start = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as guessers:
            running = [guessers.submit(guess, program, attack(part)) for part in range(AT_ONCE)]
            # Meanwhile she gets in, in the browser that is known, and so does he; and there is drawn.
            assert sign_in(anna, ANNA) == 303
            again = httpx2.Client(base_url=program.url, headers=FORM, timeout=120, cookies=bert.cookies)
            assert again.post("/sign-out").status_code == 303 and sign_in(again, BERT) == 303
            body = {"prompt": "a red apple", "steps": 1, "size": "256x256"}
            drawn = anna.post("/v1/images/generations", json=body)
            assert drawn.status_code == 200, drawn.text
            counted = [one.result() for one in running]
        seconds = time.monotonic() - start
        answers = {status: sum(one.get(status, 0) for one in counted) for status in {s for one in counted for s in one}}
        assert sum(answers.values()) == TRIES and set(answers) <= {401, 429}, answers
        assert answers.get(401, 0) <= HOUSE_CAPACITY + 2 * ACCOUNT_CAPACITY + 2 * seconds, (answers, seconds)
        # The way in by the mailbox stays open to her in a browser that nobody knows.
        assert link(mailbox, ANNA, "/vouch/")

        # Whoever runs the house is told of both, once each, as soon as it begins.
        about = lambda: [words for words in subjects(mailbox, OPERATOR) if "password" in words.lower()]
        wait_for(lambda: len(about()) >= 2, "the operator to be told")
        assert len(about()) == len(set(about())) == 2, about()
        began = {kind: int(ms) for kind, ms in program.rows(
            "SELECT CASE WHEN subject = 'house' THEN 'attack_on_house' ELSE 'attack_on_account' END, began_ms "
            "FROM attack WHERE subject <> 'nobody'")}
        rows = lambda: program.rows("SELECT kind, ended_ms FROM letter WHERE kind LIKE 'attack%' AND state = 'sent'")
        sent = wait_for(lambda: len(rows()) >= 2 and rows(), "both letters to be sent")
        assert sorted(kind for kind, _ in sent) == sorted(began) and len(began) == 2, (began, sent)
        assert all(int(ms) - began[kind] <= ALARM_WITHIN_MS for kind, ms in sent), (began, sent)
        assert len(subjects(mailbox, ANNA)) <= 8, "her mailbox is not flooded"
        assert not [words for words in subjects(mailbox, BERT) if "password" in words.lower()], "nothing happened to him"
        # What was asked of nobody's accounts left nothing behind.
        assert program.rows("SELECT COUNT(*) FROM account") == [("3",)]
        assert program.rows("SELECT COUNT(*) FROM attack WHERE subject NOT IN ('house', 'nobody')") == [("1",)]
        assert program.stop() == 0, program.log()
    finally:
        program.kill()
