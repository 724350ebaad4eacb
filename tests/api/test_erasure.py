"""People who are forgotten: with power cuts in each step, and looked for by a search that shares
nothing with the program's own.

PINHOLE_TEST_ERASURES says how many erasures are cut at a random moment; besides, there is one for
each named point of the program."""

import base64
import binascii
import json
import os
import random
import re
import threading
import time
import urllib.parse

import httpx2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mailbox import Mailbox
from program import Program, run, wait_for

CUTS = int(os.environ.get("PINHOLE_TEST_ERASURES", "4"))
# As crates/studio/src/failpoint.rs lists them: a name that is not there ends the program at once.
POINTS = [
    "erasure-verified-uncommitted",
    "erasure-verified-committed",
    "erasure-frozen-uncommitted",
    "erasure-frozen-committed",
    "erasure-some-marked",
    "erasure-keys-shredded-uncommitted",
    "erasure-keys-shredded-committed",
    "erasure-some-rows-gone",
    "erasure-rows-gone-uncommitted",
    "erasure-rows-gone-committed",
    "erasure-some-files-gone",
    "erasure-blobs-gone-uncommitted",
    "erasure-blobs-gone-committed",
    "erasure-recipients-told-uncommitted",
    "erasure-recipients-told-committed",
    "erasure-checkpointed-uncommitted",
    "erasure-checkpointed-committed",
    "erasure-scanned-uncommitted",
    "erasure-scanned-committed",
    "erasure-receipted-uncommitted",
    "erasure-receipted-committed",
]
PASSWORD = "three green apples"
FORM = {"sec-fetch-site": "same-origin"}


def api(program, key):
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=program.url, headers=headers, timeout=120)


def add(program, address, *more):
    scopes = "draw pictures:read pictures:write account:read account:erase"
    arguments = ("--key", "--scopes", scopes, "--credits", "10000", "--json", *more)
    return json.loads(program.command("admin", "person", "add", "--email", address, *arguments))


def draw(program, key, prompt, count=1):
    body = {"prompt": prompt, "n": count, "steps": 1, "seed": 7, "size": "256x256"}
    with api(program, key) as http:
        answer = http.post("/v1/images/generations", json=body)
        assert answer.status_code == 200, answer.text
        return [one["picture_id"] for one in answer.json()["data"]]


class Person:
    """Somebody with marks everywhere."""

    def __init__(self, program, name):
        self.address = f"{name}-{random.randrange(10**9)}@mark.example.org"
        added = add(program, self.address)
        self.id, self.key = added["person_id"], added["api_key"]
        self.prompt = f"a wanderer over a sea of fog, marked {random.randrange(10**12)} {name}"
        self.pictures = draw(program, self.key, self.prompt, 2) + draw(program, self.key, self.prompt + " again")

    def marks(self):
        return [self.address, self.prompt, self.key, *self.pictures]

    def erase(self, program, what="account"):
        confirm = {"account": "delete my account", "history": "delete my pictures"}[what]
        with api(program, self.key) as http:
            return http.post("/v1/me/erasure", json={"what": what, "confirm": confirm})


def forms(mark):
    """A mark as it may be written somewhere."""
    raw = mark.encode()
    yield raw
    yield mark.encode("utf-16-le")
    yield mark.encode("utf-16-be")
    yield binascii.hexlify(raw)
    yield urllib.parse.quote(mark).encode()
    yield urllib.parse.quote_plus(mark).encode()
    yield json.dumps(mark)[1:-1].encode()
    for phase in range(3):
        letters = base64.b64encode(b"\0" * phase + raw)
        yield letters[4 if phase else 0 : -4]


def traces(program, marks):
    """Where in the data folder, and in the database, any of these is."""
    found = []
    everything = [(str(file), file.read_bytes()) for file in program.data.rglob("*") if file.is_file()]
    if program.database:
        everything.append(("the dump", dump(program)))
    for name, content in everything:
        for mark in marks:
            if mark in name or any(form in content for form in forms(mark)):
                found.append((name, mark))
    return found


def dump(program):
    import subprocess

    done = subprocess.run(["pg_dump", "--dbname", program.database], capture_output=True, check=True)
    return done.stdout


def receipt(program, url):
    """The receipt, once there is one."""
    path = urllib.parse.urlsplit(url).path

    def fetched():
        answer = httpx2.get(program.url + path, timeout=120)
        assert answer.status_code in (200, 202), answer.text
        return answer if answer.status_code == 200 else None

    return wait_for(fetched, "the receipt", 60)


def check_signature(document):
    """As anybody could, in another language: JSON in the order of its names, without spaces."""
    signed = json.loads(document)
    text = json.dumps(signed["receipt"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    signature = signed["signature"]
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signature["public_key"]))
    key.verify(base64.b64decode(signature["value"]), text.encode())
    return signed["receipt"]


def check_gone(program, person, others, document):
    said = check_signature(document)
    assert said["search"]["found"] == [], said["search"]
    for mark in [*person.marks(), person.id]:
        assert mark not in document
    assert traces(program, person.marks()) == []
    for other in others:
        with api(program, other.key) as http:
            listed = http.get("/v1/pictures?limit=100").json()["data"]
            assert sorted(one["id"] for one in listed) == sorted(other.pictures)
            for one in other.pictures:
                assert http.get(f"/v1/pictures/{one}/content").status_code == 200
    books = program.command("admin", "credits", "check")
    assert "The books are right" in books
    return said


@pytest.fixture
def house(tmp_path):
    program = Program(tmp_path, PINHOLE_LEASE_MS=1000, PINHOLE_ORDERS_PER_MINUTE=60_000)
    program.start()
    add(program, "op@example.org", "--role", "operator")
    yield program
    program.kill()


def test_promise_rgt_04_a_person_among_others_is_forgotten(house):
    anna, bert = Person(house, "anna"), Person(house, "bert")
    assert len(traces(house, anna.pictures)) >= 3
    begun = anna.erase(house)
    assert begun.status_code == 202, begun.text
    with api(house, anna.key) as http:
        assert http.get("/v1/me").status_code == 401
    answer = receipt(house, begun.json()["receipt_url"])
    said = check_gone(house, anna, [bert], answer.text)
    assert said["deleted"]["files"] == 3
    assert {part["table"] for part in said["kept"]} >= {"entry", "hold"}
    # The address is free, and nothing of before comes back with it.
    again = add(house, anna.address)
    with api(house, again["api_key"]) as http:
        assert http.get("/v1/pictures").json()["data"] == []
        assert http.get("/v1/jobs").json()["data"] == []


def test_promise_rgt_04_a_receipt_is_checked_without_the_house(house, tmp_path):
    anna = Person(house, "anna")
    document = receipt(house, anna.erase(house).json()["receipt_url"]).text
    public = httpx2.get(f"{house.url}/.well-known/pinhole-house.json").json()["signs_with"]["public_key"]
    house.stop()
    file = tmp_path / "receipt.json"

    def verify(text, *more):
        file.write_text(text)
        return run("verify", "receipt", file, *more, cwd=tmp_path)

    good = verify(document, "--key", public)
    assert good.returncode == 0 and b"nothing in this receipt was changed" in good.stdout
    assert b"Compare this key" in verify(document).stdout
    other = base64.b64encode(b"\1" * 32).decode()
    assert verify(document, "--key", other).returncode == 1
    said = json.loads(document)["receipt"]
    files = f'"files":{said["deleted"]["files"]}'
    for changed in (
        document.replace(files, '"files":9', 1),
        document.replace('"scope":"account"', '"scope":"accounT"', 1),
    ):
        assert changed != document
        refused = verify(changed)
        assert refused.returncode == 1 and b"was changed" in refused.stderr
        with pytest.raises(InvalidSignature):
            check_signature(changed)
    # Every byte of the signed text counts.
    chance = random.Random(7)
    begin = document.index('"receipt":') + len('"receipt":')
    end = document.index(',"signature":')
    for at in chance.sample(range(begin, end), 40):
        changed = document[:at] + chr(ord(document[at]) ^ 1) + document[at + 1 :]
        assert verify(changed).returncode == 1, at


def test_promise_acc_07_a_person_deletes_the_account_on_the_page(tmp_path):
    mailbox = Mailbox()
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url).start()
    address = "anna@example.org"
    try:
        welcome = re.search(r"make the first account: (\S+)", program.log())[1]
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as operator:
            form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
            assert operator.post(welcome, data=form).status_code == 303
            page = operator.get("/account/delete").text
            assert "delete my account" in page
            sure = {"what": "account", "typed": "delete my account"}
            refused = operator.post("/account/delete", data=sure)
            assert refused.status_code == 400 and "last who runs this house" in refused.text
        anna = httpx2.Client(base_url=program.url, headers=FORM, timeout=120)
        form = {"address": address, "password": PASSWORD, "born": "1990-05-17"}
        anna.post("/sign-up", data=form)
        letter = wait_for(lambda: mailbox.to(address), "the letter to sign up")[0]
        text = letter.get_body(("plain",)).get_content()
        anna.post(re.search(r"http://\S+/sign-up/\S+", text)[0], data={"password": PASSWORD})
        page = anna.get("/account/delete").text
        assert "What goes" in page and "Each browser in which you are signed in" in page
        slip = anna.post("/account/delete", data={"what": "account", "typed": "yes"})
        assert slip.status_code == 400 and "Nothing was deleted" in slip.text
        gone = anna.post("/account/delete", data=sure)
        assert gone.status_code == 303
        place = gone.headers["location"]
        assert anna.get("/account").headers["location"] == "/sign-in?next=%2Faccount"
        wait_for(lambda: "is deleted" in anna.get(place).text, "the end of it", 60)
        page = anna.get(place).text
        assert "Nothing of it was found." in page and "You, by a letter" in page
        [told] = [one for one in mailbox.to(address) if "being deleted" in one["subject"]]
        assert place in told.get_body(("plain",)).get_content()
        check_signature(anna.get(place + ".json").text)
        assert traces(program, [address]) == []
        # As for whoever never was.
        answers = []
        for who in (address, "never@example.org"):
            tried = anna.post("/sign-in", data={"address": who, "password": PASSWORD})
            answers.append((tried.status_code, tried.text.replace(who, "WHO")))
        assert answers[0] == answers[1]
        assert address not in program.log()
    finally:
        mailbox.close()
        program.kill()


def test_an_operator_erases_from_the_shell(house):
    anna, bert = Person(house, "anna"), Person(house, "bert")
    erase = ("admin", "person", "erase", "--email")
    document = house.command(*erase, anna.address, "--json")
    check_gone(house, anna, [bert], document)
    last = run(*erase, "op@example.org", cwd=house.folder, data=house.data, more=house.more)
    assert last.returncode == 1 and b"last who runs this house" in last.stderr
    document = house.command(*erase, bert.address, "--history", "--json")
    said = check_signature(document)
    assert said["scope"] == "history" and said["search"]["found"] == []
    assert traces(house, [bert.prompt, *bert.pictures]) == []
    with api(house, bert.key) as http:
        assert http.get("/v1/me").json()["address"] == bert.address


def cut(house, anna):
    """Asks, whether or not the program lives to answer."""
    try:
        return anna.erase(house)
    except httpx2.TransportError:
        return None


def after_cuts(house, anna, bert):
    """The erasure goes on by itself after the next start, if it had begun."""
    house.more.pop("PINHOLE_FAIL_AT", None)
    house.start()
    rows = house.rows(f"SELECT state FROM erasure WHERE person_id = '{anna.id}'")
    if not rows:
        # It was not written down: nobody was told that it was.
        document = receipt(house, anna.erase(house).json()["receipt_url"]).text
        return check_gone(house, anna, [bert], document)
    ended = lambda: house.rows(
        f"SELECT receipt FROM erasure WHERE person_id = '{anna.id}' AND ended_ms IS NOT NULL"
    )
    [(document,)] = wait_for(ended, "the end of the erasure", 60)
    return check_gone(house, anna, [bert], document)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("point", POINTS)
def test_promise_rgt_04_a_power_cut_in_each_step_of_an_erasure(house, point):
    anna, bert = Person(house, "anna"), Person(house, "bert")
    house.stop()
    house.more["PINHOLE_FAIL_AT"] = point
    house.start()
    cut(house, anna)
    house.process.wait(60)
    house.kill()
    assert "no such point" not in house.log()
    said = after_cuts(house, anna, bert)
    assert said["deleted"]["files"] == 3, said["deleted"]


@pytest.mark.timeout(3600)
def test_promise_rgt_04_power_cuts_at_random_moments_of_erasures(house):
    bert = Person(house, "bert")
    chance = random.Random(20260101)
    for _ in range(CUTS):
        anna = Person(house, "anna")
        asking = threading.Thread(target=cut, args=(house, anna))
        asking.start()
        time.sleep(chance.uniform(0, 0.4))
        house.kill()
        asking.join()
        after_cuts(house, anna, bert)


def test_promise_rgt_07_a_deleted_picture_leaves_no_trace_within_a_minute(house):
    anna = Person(house, "anna")
    gone, *kept = anna.pictures
    with api(house, anna.key) as http:
        job = http.get(f"/v1/pictures/{gone}").json()["job_id"]
        assert http.delete(f"/v1/pictures/{gone}").status_code == 200
        for address in (f"/v1/pictures/{gone}", f"/v1/pictures/{gone}/content"):
            assert http.get(address).status_code == 404
        began = time.monotonic()
        wait_for(lambda: traces(house, [gone]) == [], "the last trace of the picture", 60)
        print(f"gone after {time.monotonic() - began:.1f} s")
        # What it was drawn with goes with the last picture of its order.
        [other] = [one for one in kept if http.get(f"/v1/pictures/{one}").json()["job_id"] == job]
        assert http.delete(f"/v1/pictures/{other}").status_code == 200
        assert http.get(f"/v1/jobs/{job}").status_code == 404


HELD_AT = ["erasure-keys-shredded-committed", "erasure-rows-gone-uncommitted", "erasure-blobs-gone-committed"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("point", HELD_AT)
def test_promise_leg_04_power_cuts_while_something_is_held(house, point):
    """The rest goes, what is held stays readable, and goes when the hold is released."""
    anna, bert = Person(house, "anna"), Person(house, "bert")
    laid = house.command("admin", "hold", "add", "--email", anna.address, "--class", "orders", "--law",
                         "Section 142 of the code of civil procedure", "--reason", "case 12 O 345/26",
                         "--approver", "the privacy officer", "--until", until_in_days(30))
    hold = re.search(r"hld_\w+", laid).group()
    house.stop()
    house.more["PINHOLE_FAIL_AT"] = point
    house.start()
    cut(house, anna)
    house.process.wait(60)
    house.kill()
    del house.more["PINHOLE_FAIL_AT"]
    house.start()
    state = f"SELECT state FROM erasure WHERE person_id = '{anna.id}'"
    wait_for(lambda: house.rows(state) == [("held",)], "all but what is held to go")
    kept = f"SELECT receipt FROM erasure WHERE person_id = '{anna.id}'"
    document = house.rows(kept)[0][0]
    said = check_signature(document)
    assert [one["class"] for one in said["held"]] == ["orders"] and said["search"]["found"] == []
    assert traces(house, [anna.address, anna.key]) == []
    files = lambda: sorted(file.stem for file in (house.data / "blobs" / "pictures").iterdir())
    assert files() == sorted(anna.pictures + bert.pictures)
    with api(house, anna.key) as http:
        assert http.get("/v1/me").status_code == 401
    # It is released while the program is down, and cut off once more when it goes on.
    house.stop()
    house.command("admin", "hold", "release", hold)
    house.more["PINHOLE_FAIL_AT"] = "erasure-rows-gone-uncommitted"
    house.spawn()
    house.process.wait(60)
    house.kill()
    del house.more["PINHOLE_FAIL_AT"]
    house.start()
    wait_for(lambda: house.rows(state) == [("receipted",)], "the rest to go")
    assert files() == sorted(bert.pictures)
    supplement = f"SELECT supplement FROM erasure WHERE person_id = '{anna.id}'"
    check_gone(house, anna, [bert], house.rows(supplement)[0][0])


def until_in_days(days):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * 86_400))
