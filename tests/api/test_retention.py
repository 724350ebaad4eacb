"""What was kept long enough is gone, by a clock that is not the program's own: libfaketime moves the time of
the whole process, and what is over is reckoned here from the inventory that the program prints."""

import io
import json
import re
import subprocess
import time
import zipfile

import httpx2
import pytest

from mailbox import Mailbox
from program import Program, run, wait_for
from test_canaries import routes

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS
PASSWORD = "three green apples"
FORM = {"sec-fetch-site": "same-origin"}
ANNA = "anna@example.org"
BERT = "bert@example.org"
SCOPES = "draw pictures:read pictures:write account:read account:write account:export account:erase"
# Wrong passwords for one account until it counts as an attack.
MANY_TRIES = 40


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.close()


def key_of(program, *arguments):
    return json.loads(program.command("admin", "person", *arguments, "--json"))["api_key"]


def link(mailbox, address, path):
    found = lambda: [match for letter in mailbox.to(address)
                     if (match := re.search(rf"http://\S+{path}\S+", letter.get_body(("plain",)).get_content()))]
    return wait_for(found, f"a letter with {path}")[0][0]


def does_everything(program, mailbox):
    """Somebody who leaves a row wherever rows have an end."""
    welcome = re.search(r"make the first account: (\S+)", program.log())[1]
    with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as operator:
        form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
        assert operator.post(welcome, data=form).status_code == 303
        duty = {"for": "mail", "reason": "Anna asks where her letter is.", "minutes": "30"}
        assert operator.post("/desk/duties", data=duty).status_code == 303
    with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as anna:
        form = {"address": ANNA, "password": PASSWORD, "born": "1990-05-17"}
        assert anna.post("/sign-up", data=form).status_code == 200
        assert anna.post(link(mailbox, ANNA, "/sign-up/"), data={"password": PASSWORD}).status_code == 303
        question = {"about": "fault", "subject": "it is slow", "words": "Why?"}
        asked = anna.post("/support", data=question)
        assert asked.status_code == 303, asked.text
        assert anna.post(asked.headers["location"], data={"do": "close"}).status_code == 303
        founded = anna.post("/account/organisations", data={"name": "Lighthouse"})
        assert founded.status_code == 303, founded.text
        assert anna.post(founded.headers["location"], data={"what": "invite"}).status_code == 201
        # A link to a new password that nobody opens, and a guest whom nobody answers.
        assert anna.post("/reset", data={"address": ANNA}).status_code == 200
        guest = {"address": "guest@example.org", "about": "access", "words": "what is kept of me?"}
        assert anna.post("/privacy/request", data=guest).status_code == 200
    key = key_of(program, "key", "--email", ANNA, "--scopes", SCOPES)
    order = {"prompt": "a red apple", "steps": 1, "size": "256x256"}
    with httpx2.Client(base_url=program.url, headers={"authorization": f"Bearer {key}"}, timeout=120) as http:
        for more in ({}, {"retention": 7200}, {"private": True}):
            repeat = {"idempotency-key": f"once {len(more)} {'private' in more}"}
            drawn = http.post("/v1/images/generations", json=order | more, headers=repeat)
            assert drawn.status_code == 200, drawn.text
        assert http.post("/v1/me/export").status_code in (200, 201, 202)
        request = http.post("/v1/me/requests", json={"about": "other", "words": "who are you?"}).json()
        program.command("admin", "request", "answer", request["id"], "--text", "We are.")
        objected = http.put("/v1/me/objections/operation", json={"why": "I would rather not."})
        assert objected.status_code in (200, 201), objected.text
        wanted = http.put("/v1/me/consents/news", json={"version": 1})
        assert wanted.status_code == 200, wanted.text
    confirmed = httpx2.post(link(mailbox, ANNA, "/news/confirm/"), timeout=120)
    assert confirmed.status_code == 200, confirmed.text
    news = program.folder / "news.txt"
    news.write_text("A larger model is here.\n")
    program.command("admin", "news", "send", "--subject", "A larger model", "--file", str(news),
                    "--public-url", program.url)
    invoice = ("--amount", "12.50", "--currency", "EUR", "--country", "DE", "--issued", "2025-01-31")
    program.command("admin", "invoice", "record", "--email", ANNA, "--number", "2025-1", *invoice)
    bert = key_of(program, "add", "--email", BERT, "--key", "--scopes", SCOPES)
    with httpx2.Client(base_url=program.url, headers={"authorization": f"Bearer {bert}"}, timeout=120) as http:
        asked = http.post("/v1/me/erasure", json={"what": "account", "confirm": "delete my account"})
        assert asked.status_code in (200, 202), asked.text
    over = lambda: program.rows("SELECT COUNT(*) FROM erasure WHERE ended_ms IS NOT NULL") == [("1",)]
    wait_for(over, "an erasure to end")
    with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as thief:
        for number in range(MANY_TRIES):
            thief.post("/sign-in", data={"address": ANNA, "password": f"guess number {number}"})
            if program.rows("SELECT COUNT(*) FROM attack") != [("0",)]:
                break


def is_seen_by_ten(program):
    for number in range(10):
        headers = {"x-forwarded-for": f"198.51.100.{number}", "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
        assert httpx2.get(f"{program.url}/about", headers=headers, timeout=60).status_code == 200


DAY_MS = 24 * 60 * 60 * 1_000


def moved(ms):
    """What moves the clock of a program ahead, and leaves alone the one by which timers run."""
    asked = ["faketime", "-m", "-f", "+0s", "env"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    [library] = re.findall(r"^LD_PRELOAD=(\S+)$", answer, re.MULTILINE)
    dont = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    return dont | {"LD_PRELOAD": library, "FAKETIME": f"+{ms // 1000}s"}


class House:
    """The rows with an end, and the files, by the inventory."""

    def __init__(self, program):
        self.program = program
        self.limits = json.loads(program.command("privacy", "inventory"))["limits"]

    def count(self, condition):
        def rows(limit):
            [(count,)] = self.program.rows(f"SELECT COUNT(*) FROM {limit['table']} WHERE {condition(limit)}")
            return int(count)

        return {(limit["table"], limit["column"]): rows(limit) for limit in self.limits}

    def overdue(self, now_ms):
        counted = self.count(lambda limit: f"{limit['column']} + {limit['milliseconds']} <= {now_ms}")
        [(pictures,)] = self.program.rows(f"SELECT COUNT(*) FROM picture WHERE ends_ms <= {now_ms}")
        return {place: rows for place, rows in counted.items() if rows} | (
            {("picture", "ends_ms"): int(pictures)} if int(pictures) else {})

    def lasting(self, now_ms):
        """Rows of which no limit is over, by table."""
        tables = {}
        for limit in self.limits:
            tables.setdefault(limit["table"], []).append(
                f"COALESCE({limit['column']} + {limit['milliseconds']} > {now_ms}, TRUE)")
        counted = {}
        for table, conditions in tables.items():
            [(rows,)] = self.program.rows(f"SELECT COUNT(*) FROM {table} WHERE {' AND '.join(conditions)}")
            counted[table] = int(rows)
        return counted

    def files(self):
        return {file.name for file in (self.program.data / "blobs").rglob("*") if file.is_file()}

    def blobs(self):
        return {blob.rsplit("/", 1)[-1] for (blob,) in self.program.rows("SELECT blob FROM picture")}


def test_promise_ret_01_nothing_outlives_its_time_by_another_clock(tmp_path, mailbox):
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url, PINHOLE_BEHIND_PROXY="true")
    program.start()
    does_everything(program, mailbox)
    is_seen_by_ten(program)
    # What is counted is written when it ends.
    assert program.stop() == 0, program.log()
    program.start()
    house = House(program)
    tried = {table for (table, _), rows in house.count(lambda _: "TRUE").items() if rows}
    missing = {limit["table"] for limit in house.limits} - tried
    assert not missing, f"nothing is kept in {missing}, so nothing is tried there"
    assert len(house.files()) >= 3
    assert program.stop() == 0, program.log()
    left_ms = int(time.time() * 1_000)

    # What goes after a day at most by a moment of its own has a limit of 0.
    longest = {limit["milliseconds"] for limit in house.limits} | {24 * HOUR_MS}
    seen = set()
    for limit_ms in sorted(longest - {0}):
        later_ms = limit_ms + HOUR_MS
        program.more |= moved(later_ms)
        before = house.overdue(left_ms + later_ms)
        seen |= set(before)
        now_ms = int(time.time() * 1_000) + later_ms
        lasting = house.lasting(now_ms + HOUR_MS)
        program.start()
        wait_for(lambda: not house.overdue(now_ms), f"what is overdue after {later_ms} ms to go: {before}", 30)
        said = run("audit", cwd=program.folder, data=program.data, more=program.more)
        assert b"holds   retention" in said.stdout, (said.stdout, said.stderr)
        wait_for(lambda: house.files() == house.blobs(), "files without a row to go")
        assert program.stop() == 0, program.log()
        if later_ms < YEAR_MS:
            # Nothing goes before its time; letters that nobody sent go earlier than they may stay.
            still = house.lasting(now_ms + HOUR_MS)
            early = {table: (rows, still[table]) for table, rows in lasting.items() if still[table] < rows}
            assert early.keys() <= {"letter"}, early
    every = {(limit["table"], limit["column"]) for limit in house.limits} | {("picture", "ends_ms")}
    # A session that is idle for long enough is gone before it is old.
    assert every - seen <= {("session", "created_ms")}, every - seen


def in_words(ms):
    hours = ms // HOUR_MS
    if hours == 3_653 * 24:
        return "for 10 years after"
    number, unit = (hours // 24, "day") if hours % 24 == 0 else (hours, "hour")
    return f"for {number} {unit}{'' if number == 1 else 's'} after"


def test_promise_gov_02_a_time_is_the_same_in_notice_record_archive_and_sweep(tmp_path, mailbox):
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url).start()
    try:
        limits = [limit for limit in House(program).limits if limit["milliseconds"] and limit["is_of_somebody"]]
        assert len(limits) > 5
        record = program.command("privacy", "record")
        added = program.command("admin", "person", "add", "--email", ANNA, "--key", "--scopes", SCOPES, "--json")
        key = json.loads(added)["api_key"]
        with httpx2.Client(base_url=program.url, headers={"authorization": f"Bearer {key}"}, timeout=120) as http:
            notice, page = http.get("/privacy.txt").text, http.get("/privacy").text
            made = http.post("/v1/me/export").json()
            archive = http.get(f"/v1/me/export/{made['id']}/content").content
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            named = set(files.namelist())
            for limit in limits:
                words = in_words(limit["milliseconds"])
                for told in (notice, page, record, files.read("what-is-kept.txt").decode()):
                    assert words in told, (words, limit)
                file = f"data/{limit['table']}.json"
                assert words in json.loads(files.read(file))["kept"], (file, words)
            assert {f"data/{limit['table']}.json" for limit in limits} <= named
        # What the sweep does with the same numbers, the test above sees by a clock of its own.
    finally:
        assert program.stop() == 0, program.log()


def test_promise_gov_02_every_page_leads_to_the_notice(tmp_path, mailbox):
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url).start()
    try:
        does_everything(program, mailbox)
        operator = httpx2.Client(base_url=program.url, headers=FORM, timeout=60)
        assert operator.post("/sign-in", data={"address": "op@example.org", "password": PASSWORD}).status_code == 303
        visitor = httpx2.Client(base_url=program.url, timeout=60)
        pages, without = 0, []
        for route, method in routes():
            if method != "GET":
                continue
            # What leads to nothing is a page as well.
            path = re.sub(r"\{\*?\w+\}", "nothing", route)
            for client in (operator, visitor):
                answer = client.get(path, headers={"accept": "text/html"})
                if answer.headers.get("content-type", "").startswith("text/html"):
                    pages += 1
                    if 'href="/privacy"' not in answer.text:
                        without.append((path, answer.status_code))
        assert pages > 50, pages
        assert not without, without
        notice = visitor.get("/privacy").text
        assert "<script" not in notice.split("<main")[1].split("</main>")[0]
        assert "<details" not in notice, "what is folded is not printed"
    finally:
        assert program.stop() == 0, program.log()


def test_promise_use_04_a_house_that_others_reach_keeps_its_log_for_14_days(tmp_path):
    program = Program(tmp_path, PINHOLE_PUBLIC_URL="https://pictures.example.org", PINHOLE_LOG_DAYS=None)
    program.before, still = (), dict(program.more)
    try:
        program.start()
        folder = program.data / "logs"
        assert httpx2.get(f"{program.url}/about").status_code in (200, 403, 421)
        assert program.stop() == 0
        [first] = folder.iterdir()
        assert "stopped" in first.read_text() and "stopped" not in program.log()
        assert first.stat().st_mode & 0o077 == 0
        for days, left in ((13, 2), (15, 2)):
            program.more = still | moved(days * DAY_MS)
            program.start()
            assert program.stop() == 0
            assert len(list(folder.iterdir())) == left, days
            assert first.exists() == (days < 14)
    finally:
        program.kill()
    refused = Program(tmp_path / "other", PINHOLE_LOG_DAYS=15)
    refused.folder.mkdir()
    refused.spawn()
    assert refused.ended() != 0 and "1..=14" in refused.log()
