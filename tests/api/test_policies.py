"""The privacy notice of a house that others reach: who answers for it, its versions, and that a build which
does something else does not open."""

import base64
import contextlib
import hashlib
import json
import sqlite3
import time

import feedparser
import httpx2
import pytest

from mailbox import Mailbox
from program import CONTROLLER, Program, psql, run
from test_retention import moved

HOME = "https://pictures.example.org"
HOST = {"host": "pictures.example.org"}
DAY_MS = 24 * 60 * 60 * 1000
NOTICE_DAYS = 30


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture
def house(tmp_path):
    """A house that nobody writes letters for: another one with a mail server has a recipient more."""
    program = Program(tmp_path, PINHOLE_PUBLIC_URL=HOME)
    yield program
    program.kill()


def get(house, path, **more):
    return httpx2.get(house.url + path, headers=HOST, timeout=60, **more)


def text(house, path):
    answer = get(house, path)
    assert answer.status_code == 200, (path, answer.text)
    return answer.text


def machine(house):
    return get(house, "/.well-known/privacy-policy.json").json()


def refused(house):
    """Starts it, and returns what it says when it ends instead."""
    house.spawn()
    assert house.ended() != 0
    return house.log()


def later(house, days):
    """The next start is so many days ahead."""
    house.more |= moved(days * DAY_MS)


def overwrite(house, statement):
    """As somebody does who has the database, and not the house's key."""
    if house.database:
        psql(house.database, statement)
        return
    with contextlib.closing(sqlite3.connect(house.data / "pinhole.db")) as opened, opened:
        opened.execute(statement)


def sha256(body):
    return hashlib.sha256(body.encode() if isinstance(body, str) else body).hexdigest()


def test_promise_gov_01_a_house_that_others_reach_opens_only_once_it_says_who_answers(house):
    for missing in CONTROLLER:
        house.more[missing] = " "
        says = refused(house)
        assert missing in says and "Art. 13 GDPR" in says, says
        for other in CONTROLLER:
            assert other == missing or f"{other}:" not in says, says
        house.more[missing] = CONTROLLER[missing]
    house.more["PINHOLE_PRIVACY_EMAIL"] = "[email protected]"
    assert "PINHOLE_PRIVACY_EMAIL" in refused(house)
    house.more["PINHOLE_PRIVACY_EMAIL"] = CONTROLLER["PINHOLE_PRIVACY_EMAIL"]
    house.start()
    # As plain text, without script, for who is not signed in; and in every form of it.
    for path in ("/privacy", "/privacy.txt", "/privacy/versions/1", "/privacy/versions/1/notice.txt"):
        shown = text(house, path)
        for value in CONTROLLER.values():
            assert value in shown, (path, value)
    assert house.stop() == 0
    # A house for oneself needs none of it.
    del house.more["PINHOLE_PUBLIC_URL"]
    for name in CONTROLLER:
        del house.more[name]
    house.start()
    assert house.stop() == 0


def test_promise_gov_03_a_version_bears_its_dates_and_hashes_and_the_log_knows_them(house):
    house.start()
    head = machine(house)["in_force"]
    [row] = house.rows(
        "SELECT number, published_ms, effective_ms, body_sha256, page_sha256, declaration_sha256, before_sha256, "
        "sha256, log_id FROM policy")
    names = ("number", "published_ms", "effective_ms", "body_sha256", "page_sha256", "declaration_sha256",
             "before_sha256", "sha256", "log_entry")
    assert row == tuple(str(head[name]) for name in names)
    assert head["before_sha256"] == ""
    for path, name in (("notice.txt", "body"), ("notice.html", "page"), ("policy.json", "declaration")):
        served = get(house, f"/privacy/versions/1/{path}").content
        assert sha256(served) == head[f"{name}_sha256"], path
    page = text(house, "/privacy")
    assert "Version 1" in page and head["body_sha256"] in page
    # The leaf: its commitment is of what the log says, and that is the version.
    deadline = time.monotonic() + 30
    while (proof := get(house, "/privacy/versions/1/proof.json")).status_code != 200:
        assert time.monotonic() < deadline, proof.text
        time.sleep(0.05)
    inclusion = proof.json()["inclusion"]
    leaf, payload = json.loads(inclusion["leaf"]), inclusion["payload"]
    assert leaf["kind"] == "policy_published" and leaf["id"] == head["log_entry"]
    assert leaf["commitment"] == sha256(payload)
    said = json.loads(payload)["what"]
    for name in ("body_sha256", "page_sha256", "declaration_sha256", "before_sha256", "sha256"):
        assert said[name] == head[name]
    # RFC 9162, 2.1.3.2.
    at, last, node = inclusion["position"], inclusion["size"] - 1, sha256(b"\0" + inclusion["leaf"].encode())
    for step in inclusion["path"]:
        pair = (step, node) if at % 2 or at == last else (node, step)
        node = sha256(b"\1" + bytes.fromhex(pair[0]) + bytes.fromhex(pair[1]))
        while at == last and at % 2 == 0 and at:
            at, last = at // 2, last // 2
        at, last = at // 2, last // 2
    root = inclusion["checkpoint"].split("\n")[2]
    assert base64.b64decode(root).hex() == node


def test_promise_pol_01_a_build_that_does_more_waits_for_its_version_and_for_its_day(house, mailbox):
    house.start()
    assert house.stop() == 0
    before = house.rows("SELECT * FROM policy")
    # The mail server is another recipient.
    house.more["PINHOLE_SMTP"] = mailbox.url
    says = refused(house)
    assert "version 1" in says and "The mail server" in says and "pinhole privacy publish" in says
    shell = run("admin", "person", "list", cwd=house.folder, data=house.data, more=house.more)
    assert shell.returncode != 0 and b"does more than version 1" in shell.stderr
    shown = house.command("privacy", "publish", "--preview")
    assert "would be in force from" in shown and "+   in this house: 127.0.0.1" in shown
    assert house.rows("SELECT * FROM policy") == before
    # An operator can't be laxer than the program.
    tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    early = run("privacy", "publish", "--effective", tomorrow, cwd=house.folder, data=house.data, more=house.more)
    assert early.returncode != 0 and b"too early" in early.stderr
    assert "It matters to people" in house.command("privacy", "publish")
    [(published, effective, material)] = house.rows(
        "SELECT published_ms, effective_ms, is_material FROM policy WHERE number = 2")
    assert int(effective) - int(published) == NOTICE_DAYS * DAY_MS and material == "1"
    again = run("privacy", "publish", cwd=house.folder, data=house.data, more=house.more)
    assert again.returncode != 0 and b"nothing to publish" in again.stderr
    # Until its day the build without it runs, and the version of before is what is served.
    assert "Run the previous build" in refused(house)
    del house.more["PINHOLE_SMTP"]
    house.start()
    assert "there is none, and nothing goes there" in text(house, "/privacy")
    known = machine(house)
    assert known["in_force"]["number"] == 1 and [one["number"] for one in known["waiting"]] == [2]
    assert "another version of this notice holds" in text(house, "/privacy")
    assert "waits for its day" in text(house, "/privacy/versions/2")
    assert house.stop() == 0
    # One day too early, then on its day.
    house.more["PINHOLE_SMTP"] = mailbox.url
    later(house, NOTICE_DAYS - 1)
    assert "Run the previous build" in refused(house)
    later(house, NOTICE_DAYS + 1)
    house.start()
    assert machine(house)["in_force"]["number"] == 2
    assert "in this house</dt><dd>127.0.0.1" in text(house, "/privacy")
    assert "not in force any more" in text(house, "/privacy/versions/1")
    assert house.stop() == 0
    # Who does less than the version in force tells of may go on; nobody has to wait for less.
    del house.more["PINHOLE_SMTP"]
    house.start()
    assert house.stop() == 0
    assert "Nothing in it has to wait" in house.command("privacy", "publish")
    house.start()
    assert machine(house)["in_force"]["number"] == 3
    assert house.stop() == 0
    assert "holds" in house.command("audit")


def test_promise_pol_01_a_version_that_is_overwritten_turns_the_audit_red(house):
    house.start()
    assert house.stop() == 0
    house.more["PINHOLE_CONTROLLER_ADDRESS"] = "2 Other Street, 12345 Exampletown, Norway"
    assert "Nothing of that has to wait" in refused(house)
    assert "Version 2 is published" in house.command("privacy", "publish")
    house.start()
    assert "2 Other Street" in text(house, "/privacy") and "1 Example Street" in text(house, "/privacy/versions/1")
    assert house.stop() == 0

    def audit():
        done = run("audit", cwd=house.folder, data=house.data, more=house.more)
        return done.returncode, done.stdout.decode()

    assert audit()[0] == 0
    for change, back in (
        ("UPDATE policy SET body = REPLACE(body, 'Example', 'Another') WHERE number = 1",
         "UPDATE policy SET body = REPLACE(body, 'Another', 'Example') WHERE number = 1"),
        ("UPDATE policy SET effective_ms = effective_ms - 1 WHERE number = 1",
         "UPDATE policy SET effective_ms = effective_ms + 1 WHERE number = 1"),
        ("UPDATE policy SET number = 3 WHERE number = 2", "UPDATE policy SET number = 2 WHERE number = 3"),
    ):
        overwrite(house, change)
        code, says = audit()
        assert code != 0 and "of the notice" in says, (change, says)
        overwrite(house, back)
        assert audit()[0] == 0
    overwrite(house, "DELETE FROM policy WHERE number = 2")
    code, says = audit()
    assert code != 0 and "is in the log and not here any more" in says


def test_promise_pol_01_what_changed_is_shown_without_script(house):
    house.start()
    assert house.stop() == 0
    house.more["PINHOLE_CONTROLLER_ADDRESS"] = "2 Other Street, 12345 Exampletown, Norway"
    house.command("privacy", "publish")
    house.start()
    shown = text(house, "/privacy/versions/2/changes")
    assert "<del>Postal address: 1 Example Street" in shown and "<ins>Postal address: 2 Other Street" in shown
    assert "<script" not in shown and "address: 2 Other Street" in shown
    back = text(house, "/privacy/versions/1/changes?from=2")
    assert "<ins>Postal address: 1 Example Street" in back
    listed = text(house, "/privacy/versions")
    assert listed.index("Version 2") < listed.index("Version 1")
    for path in ("/privacy/versions/3", "/privacy/versions/x", "/privacy/versions/2/changes?from=9"):
        assert get(house, path).status_code == 404, path


def test_promise_pol_05_feeds_and_the_policy_for_programs_can_be_read_by_others(house):
    house.start()
    assert house.stop() == 0
    house.more["PINHOLE_CONTROLLER"] = "Example & <Sons> Ltd"
    house.command("privacy", "publish")
    house.more["PINHOLE_CONTROLLER"] = CONTROLLER["PINHOLE_CONTROLLER"]
    house.start()
    answer = get(house, "/privacy/versions.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = feedparser.parse(answer.content)
    assert not feed.bozo and feed.version == "atom10", feed.get("bozo_exception")
    assert feed.feed.id == f"{HOME}/privacy/versions" and feed.feed.author == "Example Pictures Ltd"
    links = {link.rel: link.href for link in feed.feed.links}
    assert links["self"] == f"{HOME}/privacy/versions.atom"
    assert [entry.id for entry in feed.entries] == [f"{HOME}/privacy/versions/{number}" for number in (2, 1)]
    assert "Example & <Sons> Ltd" in feed.entries[0].summary.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    for entry in feed.entries:
        assert entry.published_parsed and entry.updated_parsed and entry.title
        assert get(house, entry.link.removeprefix(HOME)).status_code == 200
    answer = get(house, "/privacy/versions.json")
    assert answer.headers["content-type"] == "application/feed+json"
    again = answer.json()
    assert again["version"] == "https://jsonfeed.org/version/1.1" and again["title"] and again["feed_url"]
    assert [item["id"] for item in again["items"]] == [entry.id for entry in feed.entries]
    assert all(item["content_text"] and item["date_published"].endswith("Z") for item in again["items"])
    known = machine(house)
    assert known["policy"]["kind"] == "pinhole/policy/1" and known["policy"]["entries"]
    assert sha256(text(house, "/privacy/versions/1/policy.json")) == known["in_force"]["declaration_sha256"]
    assert 'type="application/atom+xml"' in text(house, "/privacy")
