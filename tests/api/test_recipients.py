"""To whom the program connects, as the kernel sees it: strace writes down every connection of every
process of it, and whoever is not in its register of recipients is a stranger."""

import io
import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.parse

import httpx2
import pytest
from PIL import Image

from hub import Hub
from mailbox import Mailbox
from program import BINARY, Program, run, wait_for

PASSWORD = "three green apples"
FORM = {"sec-fetch-site": "same-origin"}
ANNA = "anna@example.org"
STATED = """
[mail]
name = "Example Post"
country = "DE"
contract = "2026-01-31"
transfer = "within-eea"
keeps = "14 days"
"""
# How strace writes an address; a name service of this machine is asked by a socket in a file.
INTERNET = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|AF_INET6, ")([0-9a-fA-F:.]+)"')
FILE = re.compile(r'AF_UNIX, sun_path="([^"]+)"')
NEAR = ("/var/run/nscd/", "/run/nscd/", "/run/systemd/resolve/", "/run/dbus/")


class Witness:
    """What strace saw."""

    def __init__(self, folder):
        self.folder = folder
        self.files = []

    def before(self):
        """What stands before a command that is watched."""
        strace = shutil.which("strace")
        assert strace, "strace is missing: cargo xtask test installs it"
        self.files.append(self.folder / f"strace-{len(self.files)}")
        calls = "trace=connect,sendto,sendmsg,sendmmsg"
        # -D: the program is the child that is waited for, and strace its grandchild.
        return (strace, "-D", "-f", "-qq", "-s", "256", "-e", calls, "-e", "signal=none", "-o", self.files[-1])

    def connections(self):
        """Whoever was connected to or sent something: (address, port), or (path, None)."""
        seen = set()
        for file in self.files:
            text = file.read_text(errors="replace")
            assert not re.search(r"PTRACE_(TRACEME|SEIZE|ATTACH)", text), text
            for line in text.splitlines():
                if match := INTERNET.search(line):
                    seen.add((match[2], int(match[1])))
                elif match := FILE.search(line):
                    seen.add((match[1], None))
        return seen


def strangers(seen, known):
    """Those of them whom nobody registered."""
    def is_known(one):
        address, port = one
        return one in known or (port is None and address.startswith(NEAR))

    return {one for one in seen if not is_known(one)}


def address_of(host):
    """The addresses of a registered host, with its port."""
    url = urllib.parse.urlsplit("//" + host)
    found = socket.getaddrinfo(url.hostname, url.port, type=socket.SOCK_STREAM)
    return {(sockaddr[0], sockaddr[1]) for *_, sockaddr in found}


def known_of(program):
    """The addresses of the register, as the program itself tells of it."""
    register = json.loads(program.command("privacy", "recipients", "--format", "json"))
    used = [one for one in register if one["is_used"]]
    addresses = set()
    for one in used:
        if urllib.parse.urlsplit("//" + one["host"]).port is None:
            assert one["role"] == "database", one
            addresses |= address_of(one["host"] + ":5432") if one["host"] else set()
        else:
            addresses |= address_of(one["host"])
    return {one["role"] for one in used}, addresses


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    hub.close()


def watched(program, witness, *arguments):
    """A command of the program, seen by the witness."""
    variables = {"PINHOLE_DATA": program.data} | program.more
    before = [str(one) for one in witness.before()]
    done = run(*before[1:], BINARY, *arguments, binary=before[0], cwd=program.folder, more=variables)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_promise_shr_01_every_connection_goes_to_a_registered_recipient(tmp_path, mailbox, hub):
    witness = Witness(tmp_path)
    (tmp_path / "recipients.toml").write_text(STATED)
    model = hub.catalogue(tmp_path / "own.toml")
    program = Program(tmp_path, before=witness.before(), PINHOLE_SMTP=mailbox.url, HF_ENDPOINT=hub.url,
                      HF_HOME=tmp_path, PINHOLE_CATALOGUE=tmp_path / "own.toml",
                      PINHOLE_RECIPIENTS=tmp_path / "recipients.toml")
    program.start()
    try:
        welcome = re.search(r"make the first account: (\S+)", program.log())[1]
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as operator:
            form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
            assert operator.post(welcome, data=form).status_code == 303
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as anna:
            form = {"address": ANNA, "password": PASSWORD, "born": "1990-05-17"}
            assert anna.post("/sign-up", data=form).status_code == 200
            letter = wait_for(lambda: mailbox.to(ANNA), "the letter to sign up")[0]
            link = re.search(r"http://\S+/sign-up/\S+", letter.get_body(("plain",)).get_content())[0]
            assert anna.post(link, data={"password": PASSWORD}).status_code == 303
            scopes = "draw pictures:read account:read account:export account:erase"
            key = json.loads(watched(program, witness, "admin", "person", "key", "--email", ANNA, "--scopes", scopes,
                                     "--json"))["api_key"]
            assert anna.post("/reset", data={"address": ANNA}).status_code == 200
            wait_for(lambda: len(mailbox.to(ANNA)) == 2, "the letter with the link to a new password")
            page = anna.get("/account/data").text
            assert "The mail server (Example Post)" in page and "It was given 1 letter to you" in page, page
        with httpx2.Client(base_url=program.url, headers={"authorization": f"Bearer {key}"}, timeout=120) as http:
            drawn = http.post("/v1/images/generations", json={"prompt": "a red apple", "steps": 1})
            assert drawn.status_code == 200, drawn.text
            made = http.post("/v1/me/export").json()
            archive = http.get(f"/v1/me/export/{made['id']}/content")
            assert archive.status_code == 200
            watched(program, witness, "audit")
            watched(program, witness, "models", "pull", model)
            assert [path for path in hub.asked if "/away/" in path], "no weights were fetched"
            watched(program, witness, "backup", tmp_path / "house.backup")
            asked = http.post("/v1/me/erasure", json={"what": "account", "confirm": "delete my account"})
            assert asked.status_code in (200, 202), asked.text
        told = lambda: [one for one in mailbox.to(ANNA) if "/receipts/" in one.get_body(("plain",)).get_content()]
        letter = wait_for(told, "the letter that brings the receipt")[0]
        receipt = re.search(r"http://\S+/receipts/\S+", letter.get_body(("plain",)).get_content())[0]
        with httpx2.Client(timeout=120) as http:
            done = lambda: (answer := http.get(receipt + ".json")).status_code == 200 and answer.json()
            recipients = wait_for(done, "the receipt")["receipt"]["recipients"]
            [post] = [one for one in recipients if one["role"] == "mail"]
            assert (post["name"], post["country"], post["keeps"]) == ("Example Post", "DE", "14 days")
            # The first was to somebody who had no account yet.
            sent = len(mailbox.to(ANNA)) - 1
            assert post["got"].startswith(f"It was given {sent} letters to you"), (post, sent)
            page = http.get(receipt).text
            assert "Example Post" in page and "14 days" in page, page
            notice = http.get(program.url + "/privacy.txt").text
            assert "in this house: Example Post" in notice and "country: DE" in notice
    finally:
        assert program.stop() == 0, program.log()
    roles, known = known_of(program)
    assert roles == {"mail", "hub"} | ({"database"} if program.database else set())
    seen = witness.connections()
    assert (mailbox.at in seen) and ((hub.host, hub.port) in seen), seen
    assert not strangers(seen, known), (strangers(seen, known), known)


def test_promise_shr_07_a_question_and_its_answer_reach_nobody_but_the_mail_server(tmp_path, mailbox):
    witness = Witness(tmp_path)
    # Weights would come from a port where nobody answers.
    program = Program(tmp_path, before=witness.before(), PINHOLE_SMTP=mailbox.url, HF_ENDPOINT="http://127.0.0.1:9")
    program.start()
    guest = "guest@example.org"
    said = lambda: [letter.get_body(("plain",)).get_content() for letter in mailbox.to(guest)]
    try:
        welcome = re.search(r"make the first account: (\S+)", program.log())[1]
        with (httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as operator,
              httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as visitor):
            form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
            assert operator.post(welcome, data=form).status_code == 303
            question = {"address": guest, "about": "fault", "subject": "a grey apple", "words": "mark-of-a-question"}
            assert visitor.post("/support", data=question).status_code == 200
            confirm = wait_for(lambda: re.findall(r"http://\S+/support/confirm/\S+", "\n".join(said())), "the link")[0]
            ticket = visitor.post(confirm).headers["location"]
            grey = io.BytesIO()
            Image.new("RGB", (32, 32), "grey").save(grey, "png")
            more = {"words": "mark-of-more"}, {"file": ("seen.png", grey.getvalue(), "image/png")}
            assert visitor.post(ticket, data=more[0], files=more[1]).status_code == 303
            [sent] = re.findall(r'<img src="([^"]+)" alt', visitor.get(ticket).text)
            assert Image.open(io.BytesIO(visitor.get(sent).content)).size == (32, 32)
            duty = {"for": "support", "reason": "A guest asks about an apple.", "minutes": "30"}
            assert operator.post("/desk/duties", data=duty).status_code == 303
            desk = "/desk/support/" + ticket.removeprefix("/support/").split(".")[0]
            assert operator.post(desk, data={"words": "mark-of-an-answer", "do": "close"}).status_code == 303
            wait_for(lambda: any("mark-of-an-answer" in words for words in said()), "the letter with the answer")
            page = visitor.get(ticket).text
            assert all(mark in page for mark in ("mark-of-a-question", "mark-of-more", "mark-of-an-answer")), page
    finally:
        assert program.stop() == 0, program.log()
    # What somebody asks stays in the house; their mailbox gets what they are told.
    assert not [words for words in said() if "mark-of-a-question" in words or "mark-of-more" in words]
    seen = witness.connections()
    assert (mailbox.at in seen) and (("127.0.0.1", 9) not in seen), seen
    _, known = known_of(program)
    assert not strangers(seen, known), (strangers(seen, known), known)


def test_promise_shr_01_the_witness_sees_a_stranger(tmp_path):
    """Lest the test above passes because nothing is seen."""
    witness = Witness(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        address = stranger.getsockname()
        connect = f"import socket; socket.create_connection({address!r})"
        subprocess.run([*witness.before(), sys.executable, "-c", connect], check=True, timeout=60)
    wait_for(witness.connections, "strace to write down what it saw")
    assert address in strangers(witness.connections(), set())


def test_promise_shr_01_a_hub_that_leads_to_a_stranger_is_not_followed(tmp_path):
    hub = Hub(leads_to="127.0.0.2")
    try:
        witness = Witness(tmp_path)
        hub.catalogue(tmp_path / "own.toml")
        more = {"HF_ENDPOINT": hub.url, "HF_HOME": tmp_path, "PINHOLE_CATALOGUE": tmp_path / "own.toml"}
        before = [str(one) for one in witness.before()]
        done = run(*before[1:], BINARY, "models", "pull", "tiny", binary=before[0], cwd=tmp_path,
                   data=tmp_path / "data", more=more)
        assert done.returncode != 0 and b"leads to 127.0.0.2" in done.stderr, done.stderr
        seen = {address for address, _ in witness.connections()}
        assert "127.0.0.1" in seen and "127.0.0.2" not in seen, seen
    finally:
        hub.close()


def test_promise_trf_02_a_house_that_names_privacy_shield_stays_closed(tmp_path):
    file = tmp_path / "recipients.toml"
    file.write_text('[mail]\nname = "Shielded"\ntransfer = "Privacy Shield"\n')
    for arguments in (["serve"], ["privacy", "notice"], ["audit"]):
        more = {"PINHOLE_RECIPIENTS": file, "PINHOLE_LISTEN": "127.0.0.1:0"}
        done = run(*arguments, cwd=tmp_path, data=tmp_path / "data", more=more)
        assert done.returncode != 0 and b"C-311/18" in done.stderr, (arguments, done.stderr)
