"""Terms: published in the shell, accepted once whatever breaks, taken along and forgotten with the account."""

import io
import json
import re
import zipfile

import httpx2
import pytest

from mailbox import Mailbox
from program import Program, run, wait_for
from test_retention import ANNA, FORM, PASSWORD, SCOPES, key_of, link

TEXT = "# Terms\n\nBe kind.\n\n- draw <b>nobody</b>\n"


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture
def house(tmp_path, mailbox):
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url).start()
    yield program
    program.kill()


def browser(house):
    return httpx2.Client(base_url=house.url, headers=FORM, timeout=120)


def operator(house):
    welcome = re.search(r"make the first account: (\S+)", house.log())[1]
    client = browser(house)
    form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
    assert client.post(welcome, data=form).status_code == 303
    return client


def publish(house, text=TEXT, *more, fail_at=None):
    file = house.folder / "terms.txt"
    file.write_text(text)
    settings = house.more | ({"PINHOLE_FAIL_AT": fail_at} if fail_at else {})
    return run("admin", "terms", "publish", str(file), *more, cwd=house.folder, data=house.data, more=settings)


def count(house, table, condition="TRUE"):
    [(rows,)] = house.rows(f"SELECT COUNT(*) FROM {table} WHERE {condition}")
    return int(rows)


def shown(client, path):
    """The hash of the version that a page asks for."""
    page = client.get(path)
    assert page.status_code == 200, page.text
    return re.search(r'name="terms" value="([0-9a-f]{64})"', page.text)[1]


def audit(house):
    return run("audit", cwd=house.folder, data=house.data, more=house.more)


def test_promise_own_06_a_version_is_published_whole_or_not_at_all(house):
    operator(house)
    cut = publish(house, fail_at="terms-published-uncommitted")
    assert cut.returncode != 0
    assert (count(house, "terms"), count(house, "log_entry", "kind = 'terms_published'")) == (0, 0)
    done = publish(house)
    assert done.returncode == 0, done.stderr
    assert (count(house, "terms"), count(house, "log_entry", "kind = 'terms_published'")) == (1, 1)
    listed = house.command("admin", "terms", "list")
    assert "version 1" in listed and "asked to accept" in listed
    assert house.command("admin", "terms", "show").strip() == TEXT.strip()
    page = httpx2.get(f"{house.url}/terms/1")
    assert "<b>nobody" not in page.text and "draw" in page.text
    for wrong, says in [("", b"empty"), ("x" * 2_000_000, b"")]:
        refused = publish(house, wrong)
        assert refused.returncode != 0 and says in refused.stderr.lower(), refused.stderr
    assert publish(house, TEXT, "--effective", "2020-01-01").returncode != 0
    assert publish(house, TEXT, "--editorial").returncode != 0, "nothing is other"
    assert count(house, "terms") == 1
    assert audit(house).returncode == 0


@pytest.mark.parametrize("point, accepted", [("terms-accepted-uncommitted", 0), ("terms-accepted-committed", 1)])
def test_promise_own_06_a_power_cut_leaves_an_acceptance_with_its_leaf_or_neither(house, point, accepted):
    person = operator(house)
    assert publish(house).returncode == 0
    wait_for(lambda: person.get("/").status_code == 303, "the studio to ask")
    form = {"terms": shown(person, "/terms/accept"), "accept": "yes"}
    cookies = dict(person.cookies)
    assert house.stop() == 0
    house.more["PINHOLE_FAIL_AT"] = point
    house.start()
    with browser(house) as client:
        client.cookies.update(cookies)
        with pytest.raises(httpx2.TransportError):
            client.post("/terms/accept", data=form)
    assert house.ended() != 0
    del house.more["PINHOLE_FAIL_AT"]
    leaves = lambda: count(house, "log_entry", "kind = 'terms_accepted'")
    assert (count(house, "terms_acceptance"), leaves()) == (accepted, accepted)
    house.start()
    with browser(house) as client:
        client.cookies.update(cookies)
        assert client.post("/terms/accept", data=form).status_code == 303
        assert client.get("/").status_code == 200
    assert (count(house, "terms_acceptance"), leaves()) == (1, 1)
    said = audit(house)
    assert said.returncode == 0, said.stdout


def test_promise_own_06_what_was_accepted_is_taken_along_and_goes_with_the_account(house, mailbox):
    operator(house)
    assert publish(house).returncode == 0
    with browser(house) as anna:
        form = {"address": ANNA, "password": PASSWORD, "born": "1990-05-17"}
        wait_for(lambda: "accept_terms" in anna.get("/sign-up").text, "sign-up to ask")
        form["terms"] = shown(anna, "/sign-up")
        assert anna.post("/sign-up", data=form).status_code == 400
        assert anna.post("/sign-up", data=form | {"accept_terms": "yes"}).status_code == 200
        assert anna.post(link(mailbox, ANNA, "/sign-up/"), data={"password": PASSWORD}).status_code == 303
    key = key_of(house, "key", "--email", ANNA, "--scopes", SCOPES)
    headers = {"authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=house.url, headers=headers, timeout=120) as http:
        made = http.post("/v1/me/export").json()
        archive = zipfile.ZipFile(io.BytesIO(http.get(f"/v1/me/export/{made['id']}/content").content))
        [row] = json.loads(archive.read("data/terms_acceptance.json"))["rows"]
        assert row["terms"] == 1 and row["means"] == "sign_up"
        asked = http.post("/v1/me/erasure", json={"what": "account", "confirm": "delete my account"})
        assert asked.status_code in (200, 202), asked.text
    wait_for(lambda: count(house, "erasure", "ended_ms IS NOT NULL") == 1, "the erasure to end")
    assert count(house, "terms_acceptance") == 0
    [(receipt,)] = house.rows("SELECT receipt FROM erasure")
    gone = {part["table"]: part["rows"] for part in json.loads(receipt)["receipt"]["deleted"]["rows"]}
    assert gone["terms_acceptance"] == 1
    assert audit(house).returncode == 0
