"""People, their letters and their keys, with the program as it is run."""

import json
import re

import httpx2
import openai
import pytest

from mailbox import Mailbox
from program import Program, run, wait_for

ANNA = "anna@example.org"
PASSWORD = "three green apples"
FORM = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.close()


def link(text):
    return re.search(r"http://\S+/sign-up/\S+", text)[0]


def plain(letter):
    return letter.get_body(("plain",)).get_content()


def key_of(program, *arguments):
    arguments = ("admin", "person", *arguments, "--json")
    made = run(*arguments, cwd=program.folder, data=program.data, more=program.more)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def test_promise_acc_01_a_person_signs_up_by_mail(tmp_path, mailbox):
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url).start()
    try:
        welcome = re.search(r"make the first account: (\S+)", program.log())[1]
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as operator:
            form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
            assert operator.post(welcome, data=form).status_code == 303
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as anna:
            assert "Create an account" in anna.get("/").text
            assert anna.get("/pictures").headers["location"] == "/sign-in?next=%2Fpictures"
            form = {"address": ANNA, "password": PASSWORD, "born": "1990-05-17"}
            assert anna.post("/sign-up", data=form).status_code == 200
            letter = wait_for(lambda: mailbox.to(ANNA), "the letter to sign up")[0]
            assert "<img" not in letter.get_body(("html",)).get_content()
            opened = anna.post(link(plain(letter)), data={"password": PASSWORD})
            assert opened.status_code == 303
            assert anna.get("/pictures").status_code == 200
            kept = b"".join(file.read_bytes() for file in program.data.glob("pinhole.db*"))
            assert PASSWORD.encode() not in kept
            for cookie in anna.cookies.values():
                assert cookie.encode() not in kept
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as phone:
            form = {"address": ANNA, "password": PASSWORD}
            assert phone.post("/sign-in", data=form).status_code == 303
        # The promise gives it a minute.
        told = lambda: [one for one in mailbox.to(ANNA) if "new browser" in one["subject"]]
        wait_for(told, "the letter about a new browser", limit_s=60)
        assert program.alive(), program.log()
        assert ANNA not in program.log() and PASSWORD not in program.log()
    finally:
        assert program.stop() == 0, program.log()


def test_an_operator_adds_people_from_the_shell_while_it_serves(tmp_path):
    program = Program(tmp_path).start()
    try:
        def client(key):
            return openai.OpenAI(base_url=f"{program.url}/v1", api_key=key, max_retries=0, timeout=120)

        # Nobody has an account: any key will do.
        client("any").models.list()
        added = key_of(program, "add", "--email", ANNA, "--credits", "500", "--key")
        assert added["person_id"].startswith("per_")
        # The program notices within a second.
        def refused():
            try:
                client("any").models.list()
            except openai.AuthenticationError:
                return True
            return False

        wait_for(refused, "accounts to be noticed", limit_s=10)
        anna = client(added["api_key"])
        drawn = anna.images.generate(prompt="a red apple", extra_body={"seed": 7})
        assert drawn.data[0].b64_json
        again = run("admin", "person", "add", "--email", ANNA, cwd=program.folder, data=program.data, more=program.more)
        assert again.returncode != 0 and b"already" in again.stderr
        only_reads = key_of(program, "key", "--email", ANNA, "--scopes", "pictures:read")
        with pytest.raises(openai.PermissionDeniedError) as refusal:
            client(only_reads["api_key"]).images.generate(prompt="a red apple")
        assert refusal.value.code == "missing_scope"
        listed = run("admin", "person", "list", "--json", cwd=program.folder, data=program.data, more=program.more)
        assert [json.loads(line)["email"] for line in listed.stdout.splitlines()] == [ANNA]
    finally:
        assert program.stop() == 0, program.log()


def test_an_operator_serves_somebody_first(tmp_path):
    program = Program(tmp_path)
    keys = {name: key_of(program, "add", "--email", f"{name}@example.org", "--credits", "1000", "--key")
            for name in ("anna", "ben", "carl")}
    set_to = key_of(program, "priority", "--email", "ben@example.org", "7")
    assert set_to == {"person_id": keys["ben"]["person_id"], "priority": 7}
    assert key_of(program, "priority", "--email", "carl@example.org", "-1")["priority"] == -1
    listed = program.command("admin", "person", "list", "--json").splitlines()
    assert {one["email"][:4].strip("@"): one["priority"] for one in map(json.loads, listed)} == {
        "anna": 0, "ben": 7, "carl": -1}
    assert "priority 7" in program.command("admin", "person", "list")

    def refused(*arguments):
        done = run("admin", "person", "priority", *arguments, cwd=program.folder, data=program.data, more=program.more)
        assert done.returncode != 0
        return done.stderr.decode()

    assert "nobody has an account" in refused("--email", "dora@example.org", "1")
    assert "-100..=100" in refused("--email", ANNA, "101")
    assert "many" in refused("--email", ANNA, "many")

    program.more["PINHOLE_MAX_RUNNING_EACH"] = "1"
    program.start()
    try:
        jobs = {}
        for name in ("anna", "carl", "ben"):
            headers = {"authorization": f"Bearer {keys[name]['api_key']}", "prefer": "respond-async"}
            with httpx2.Client(base_url=program.url, headers=headers, timeout=120) as http:
                # Sizes differ in steps, so that none shares a pass with another.
                steps = {"anna": 8, "carl": 2, "ben": 3}[name]
                order = {"prompt": "a red apple", "steps": steps, "n": 10 if name == "anna" else 1}
                ordered = http.post("/v1/images/generations", json=order)
                assert ordered.status_code == 202, ordered.text
                jobs[name] = ordered.json()["id"]
            if name == "anna":
                started = f"SELECT started_ms FROM job WHERE id = '{jobs[name]}' AND started_ms IS NOT NULL"
                wait_for(lambda: program.rows(started), "anna's drawing to begin")
        over = "SELECT COUNT(*) FROM job WHERE state = 'done'"
        wait_for(lambda: program.rows(over) == [("3",)], "all drawings", 120)
        begun = program.rows("SELECT id FROM job ORDER BY started_ms")
        assert begun == [(jobs["anna"],), (jobs["ben"],), (jobs["carl"],)]
    finally:
        assert program.stop() == 0, program.log()


def test_listening_elsewhere_takes_a_public_address(tmp_path):
    program = Program(tmp_path, PINHOLE_LISTEN="0.0.0.0:0")
    program.spawn()
    assert program.ended() != 0
    assert "PINHOLE_PUBLIC_URL" in program.log()
    open_to_all = Program(tmp_path, PINHOLE_LISTEN="127.0.0.1:0", PINHOLE_PUBLIC_URL="https://pictures.example.org")
    open_to_all.start()
    try:
        assert httpx2.get(f"{open_to_all.url}/v1/models").status_code == 401
        named = {"host": "pictures.example.org"}
        assert httpx2.get(f"{open_to_all.url}/about", headers=named).status_code == 200
    finally:
        assert open_to_all.stop() == 0, open_to_all.log()
