"""What is known of who comes: nothing of their address, and of their browser the family. Searched for in every
byte that the program has written, after a day by another clock."""

import base64
import ipaddress
import re
import time

import httpx2
import pytest

from mailbox import Mailbox
from program import POSTGRES, Program
from test_erasure import dump
from test_retention import link, moved

HOUR_MS = 3_600_000
PASSWORD = "three green apples"
FORM = {"sec-fetch-site": "same-origin"}
CANARY = "zqfamiliarcanary"
AGENT = f"Mozilla/5.0 (X11; Linux x86_64; {CANARY}; rv:140.0) Gecko/20100101 Firefox/140.0"
ANNA = "anna@example.org"
ADDRESSES = [f"198.51.100.{number}" for number in range(101, 115)] + ["2001:db8:77:1::beef"]


def visitor(program, address, **headers):
    headers = FORM | {"user-agent": AGENT, "x-forwarded-for": address} | headers
    return httpx2.Client(base_url=program.url, headers=headers, timeout=60)


def forms(text):
    """What would show that a text was written down, whatever it was put into."""
    raw = text.encode()
    yield from (raw, text.encode("utf-16-le"), raw.hex().encode())
    for phase in range(3):
        yield base64.b64encode(b"\0" * phase + raw)[4 if phase else 0 : -4]


def forms_of_address(text):
    yield from forms(text)
    address = ipaddress.ip_address(text)
    yield from (address.exploded.encode(), address.packed.hex().encode(), str(int(address)).encode())


def everything(program, mailbox):
    """Each store with its bytes: the databases, their logs, files, what was logged, letters."""
    stores = [(str(file), file.read_bytes()) for file in program.data.rglob("*") if file.is_file()]
    stores += [(str(file), file.read_bytes()) for file in program.folder.glob("log-*")]
    stores += [("a letter", letter.as_bytes()) for letter in mailbox.to(ANNA)]
    if program.database:
        stores.append(("the database", dump(program)))
    return stores


def hits(stores, searched):
    return [(name, form) for name, content in stores for form in searched if form in content]


def test_promise_use_01_after_a_day_no_address_and_no_browser_is_in_any_store(tmp_path):
    mailbox = Mailbox()
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url, PINHOLE_BEHIND_PROXY="true", PINHOLE_LOG="debug",
                      PINHOLE_COUNTRY_HEADER="cf-ipcountry")
    program.start()
    try:
        welcome = re.search(r"make the first account: (\S+)", program.log())[1]
        with visitor(program, ADDRESSES[0]) as operator:
            form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
            assert operator.post(welcome, data=form).status_code == 303
        for number, address in enumerate(ADDRESSES):
            with visitor(program, address, **{"cf-ipcountry": "NO"}) as stranger:
                for page in ("/about", "/privacy", "/trust"):
                    assert stranger.get(page).status_code == 200
                assert stranger.get("/nothing/here").status_code == 404
                # Tries that fail, and are measured by where they come from.
                for _ in range(3):
                    stranger.post("/sign-in", data={"address": "bert@example.org", "password": f"guess {number}"})
                stranger.post("/reset", data={"address": f"nobody{number}@example.org"})
                stranger.post("/v1/images/generations", json={"prompt": "a red apple"})
        with visitor(program, ADDRESSES[-1]) as anna:
            form = {"address": ANNA, "password": PASSWORD, "born": "1990-05-17"}
            assert anna.post("/sign-up", data=form).status_code == 200
            assert anna.post(link(mailbox, ANNA, "/sign-up/"), data={"password": PASSWORD}).status_code == 303
            assert anna.get("/pictures").status_code == 200
            drawn = anna.post("/v1/images/generations", json={"prompt": "a red apple", "steps": 1, "size": "256x256"})
            assert drawn.status_code == 200, drawn.text
        with visitor(program, ADDRESSES[3]) as other:
            # A browser that is new to the account: a letter tells of its family.
            assert other.post("/sign-in", data={"address": ANNA, "password": PASSWORD}).status_code in (200, 303, 429)
        families = program.rows("SELECT DISTINCT family FROM session")
        assert families == [("Firefox on Linux",)], families
        assert program.stop() == 0, program.log()
        program.more |= moved(25 * HOUR_MS)
        program.start()
        assert program.stop() == 0, program.log()

        counted = set(program.rows("SELECT kind, name FROM visit_count"))
        assert {("visits", "none"), ("page", "/about"), ("browser", "Firefox"), ("system", "Linux"),
                ("device", "computer"), ("country", "NO")} <= counted, counted
        stores = everything(program, mailbox)
        assert len(stores) > 4
        searched = [form for address in ADDRESSES for form in forms_of_address(address)]
        # The search finds what it looks for.
        assert hits([("a log", b"from 198.51.100.107 came")], searched)
        assert hits([("a log", base64.b64encode(b"{198.51.100.107}"))], searched)
        assert not hits(stores, searched), hits(stores, searched)[:10]
        # USE-02: of the browser, its family alone.
        agents = [form for text in (CANARY, "Gecko/20100101", "x86_64; ") for form in forms(text)]
        written = [(name, content) for name, content in stores if "/models/" not in name]
        assert not hits(written, agents), hits(written, agents)[:10]
    finally:
        program.kill()
        mailbox.close()


def crowd(program, addresses, **headers):
    for address in addresses:
        with visitor(program, address, **headers) as stranger:
            for page in ("/about", "/privacy", "/sign-in", "/sign-up", "/trust"):
                answer = stranger.get(page)
                assert answer.status_code == 200
                assert not answer.headers.get("set-cookie")


def rows(program):
    return program.rows("SELECT kind, times, people FROM visit_count WHERE kind = 'visits'")


def test_promise_use_05_a_journey_with_the_signal_leaves_no_row(tmp_path):
    program = Program(tmp_path, PINHOLE_BEHIND_PROXY="true", PINHOLE_PUBLIC_URL="http://localhost")
    program.start()
    try:
        crowd(program, ADDRESSES, **{"sec-gpc": "1"})
        assert program.stop() == 0, program.log()
        assert program.rows("SELECT COUNT(*) FROM visit_count") == [("0",)]
        program.start()
        crowd(program, ADDRESSES)
        assert program.stop() == 0, program.log()
        assert rows(program) == [("visits", str(5 * len(ADDRESSES)), str(len(ADDRESSES)))]
    finally:
        program.kill()


@pytest.mark.skipif(not POSTGRES, reason="several processes need Postgres")
def test_promise_use_05_an_objection_at_one_process_holds_at_another_within_a_second(tmp_path):
    mailbox = Mailbox()
    settings = {"PINHOLE_BEHIND_PROXY": "true", "PINHOLE_SMTP": mailbox.url}
    nodes = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        known = {"database": nodes[0].database} if nodes else {}
        node = Program(tmp_path / name, started_as=("serve", "--no-drawing"), **known, **settings)
        node.data = tmp_path / "data"
        nodes.append(node.start())
    one, other = nodes
    try:
        welcome = re.search(r"make the first account: (\S+)", one.log())[1]
        with visitor(one, ADDRESSES[0]) as anna:
            form = {"address": ANNA, "password": PASSWORD, "adopt": "1"}
            assert anna.post(welcome, data=form).status_code == 303
            cookies = dict(anna.cookies)

        def seen_by_other(objects):
            what = {"purpose": "analytics"} | ({} if objects else {"do": "withdraw"})
            with visitor(one, ADDRESSES[0]) as anna:
                anna.cookies.update(cookies)
                assert anna.post("/account/objections", data=what).status_code == 303
            began = time.monotonic()
            with visitor(other, ADDRESSES[0]) as anna:
                anna.cookies.update(cookies)
                assert anna.get("/pictures").status_code == 200
            assert time.monotonic() - began < 1
            # With nine strangers she would be the tenth of whom something is told.
            for address in ADDRESSES[1:10]:
                with visitor(other, address) as stranger:
                    assert stranger.get("/about").status_code == 200
            assert other.stop() == 0, other.log()
            counted = rows(one)
            other.start()
            return counted

        assert seen_by_other(True) == []
        assert seen_by_other(False) == [("visits", "10", "10")]
    finally:
        for node in nodes:
            node.kill()
        mailbox.close()
