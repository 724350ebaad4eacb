"""Rights of people, from the shell while the program runs."""

import json
import random
import re
import subprocess
from email.message import EmailMessage

import httpx2
from mailbox import Mailbox
from program import environment, wait_for

ANNA = "anna@example.org"


def anna(program):
    """A client with a key of hers."""
    made = program.command("admin", "person", "add", "--email", ANNA, "--credits", "50", "--key", "--json")
    key = json.loads(made)["api_key"]
    return httpx2.Client(base_url=program.url, headers={"authorization": f"Bearer {key}"}, timeout=120)


def refused(program, *arguments):
    """What a command says that fails."""
    variables = {"PINHOLE_DATA": program.data} | program.more
    done = subprocess.run([program.binary, *arguments], cwd=program.folder, env=environment(**variables),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_promise_rgt_03_the_shell_restricts_and_lifts_while_the_program_runs(program):
    program.start()
    client = anna(program)
    order = {"prompt": "a red apple", "steps": 2}
    assert client.post("/v1/images/generations", json=order).status_code == 200
    long = order | {"n": 10, "steps": 20}
    job = client.post("/v1/images/generations", json=long, headers={"prefer": "respond-async"}).json()["id"]
    program.command("admin", "person", "restrict", "--email", ANNA, "--reason", "A dispute.")
    # In force with the next request, in another process than the one that wrote it.
    answer = client.post("/v1/images/generations", json=order)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "restricted")
    assert client.get(f"/v1/jobs/{job}").json()["status"] == "cancelled"
    assert client.get("/v1/credits").json()["held"] == 0
    assert client.get("/v1/me/restriction").json()["reason"] == "A dispute."
    assert len(client.get("/v1/pictures").json()["data"]) == 1
    assert client.delete("/v1/me/restriction").json()["error"]["code"] == "held"
    said = program.command("admin", "person", "lift", "--email", ANNA)
    assert "will be lifted at" in said, said
    # Announced, and not lifted yet: she may speak up.
    assert client.get("/v1/me/restriction").json()["lifts_at"] is not None
    assert client.post("/v1/images/generations", json=order).status_code == 403
    kinds = {kind for (kind,) in program.rows("SELECT kind FROM letter")}
    assert {"restricted", "restriction_ends"} <= kinds, kinds
    assert program.rows("SELECT COUNT(*) FROM restriction WHERE reason LIKE '%dispute%'") == [("0",)], "it is sealed"
    assert program.stop() == 0


def test_promise_rgt_11_an_operator_enters_and_answers_what_came_by_post(program):
    program.start()
    program.command("admin", "person", "add", "--email", "op@example.org", "--role", "operator")
    client = anna(program)
    assert "Nothing waits" in program.command("admin", "request", "list")
    entered = program.command("admin", "request", "add", "--email", ANNA, "--about", "correct", "--received",
                              "2026-01-31", "--identified", "--text", "My name is spelt wrong.", "--json")
    request = json.loads(entered)
    assert request["identity"] == "operator" and request["is_overdue"] is True, request
    # 28 February: January has 31 days.
    assert request["due"] == 1772323200
    # The same machine as her own requests.
    own = client.get("/v1/me/requests").json()["data"]
    assert [one["id"] for one in own] == [request["request"]]
    assert own[0]["words"] == "My name is spelt wrong."
    listed = program.command("admin", "request", "list")
    assert "OVERDUE" in listed and "due 2026-02-28" in listed, listed
    audit = refused(program, "admin", "request", "refuse", request["request"], "--text", "No.", "--country", "xx")
    assert "two letters" in audit, audit
    program.command("admin", "request", "extend", request["request"], "--text", "We look into old letters.")
    shown = program.command("admin", "request", "show", request["request"])
    assert "We look into old letters." in shown and "due 2026-04-30" in shown, shown
    program.command("admin", "request", "refuse", request["request"], "--text", "It is right.", "--country", "fr")
    answered = client.get(f"/v1/me/requests/{request['request']}").json()
    assert answered["state"] == "refused" and answered["authority"]["country"] == "fr", answered
    again = refused(program, "admin", "request", "answer", request["request"], "--text", "Done.")
    assert "answered or withdrawn already" in again, again
    kinds = [kind for (kind,) in program.rows("SELECT kind FROM letter ORDER BY id")]
    for kind in ["request_received", "request_arrived", "request_extended", "request_refused"]:
        assert kind in kinds, kinds
    assert program.stop() == 0


def mailed(program, content):
    """Hands a mail over as a mail server does; gives how that ended and what it said."""
    variables = {"PINHOLE_DATA": program.data} | program.more
    done = subprocess.run([program.binary, "admin", "request", "mail"], input=content, cwd=program.folder,
                          env=environment(**variables), capture_output=True, timeout=120)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def mail(sender, subject, text, **headers):
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = sender, "privacy@pictures.example.org", subject
    for name, value in headers.items():
        letter[name.replace("_", "-")] = value
    letter.set_content(text)
    return letter


def test_promise_rgt_11_a_request_comes_as_mail_and_its_sender_confirms_it(program):
    box = Mailbox()
    try:
        program.more |= {"PINHOLE_SMTP": box.url, "PINHOLE_MAIL_FROM": "Pinhole <privacy@pictures.example.org>"}
        program.start()
        program.command("admin", "person", "add", "--email", "op@example.org", "--role", "operator")
        client = anna(program)
        html = mail(ANNA, "Löschung? Deletion of one thing", "Ünder <this> plughxyzzy")
        html.add_alternative("<p>Ünder &lt;this&gt; plughxyzzy <img src='https://tracker.example/x'></p>", subtype="html")
        html.add_attachment(b"\x00" * 100_000, maintype="application", subtype="pdf", filename="passport.pdf")
        code, said = mailed(program, html.as_bytes())
        assert code == 0 and "(erase)" in said, said
        # Nobody is in the register because a mail says so.
        assert program.command("admin", "request", "list").startswith("Nothing waits")
        letter = wait_for(lambda: box.to(ANNA), "the letter with the link")[-1]
        text = letter.get_body(("plain",)).get_content()
        link = re.search(r"https?://\S+/privacy/request/confirm/\S+", text).group()
        path = link.split("/", 3)[3]
        assert "plughxyzzy" not in text
        page = httpx2.get(f"{program.url}/{path}")
        assert page.status_code == 200 and "plughxyzzy" in page.text, page.text
        assert httpx2.post(f"{program.url}/{path}", data={}).status_code in (200, 303)
        (request,) = client.get("/v1/me/requests").json()["data"]
        assert request["about"] == "erase" and "Ünder <this> plughxyzzy" in request["words"], request
        assert "passport" not in request["words"] and "tracker" not in request["words"]
        assert client.get("/v1/me/requests").json()["data"][0]["identity"] == "mailbox"

        # What a program sends by itself, and what has no author who could be answered.
        for content, says in [
            (mail(ANNA, "Away", "Back on Monday", Auto_Submitted="auto-replied"), "by itself"),
            (mail(ANNA, "News", "Buy", Precedence="bulk"), "by itself"),
            (mail(ANNA, "News", "Buy", List_Id="<news.example.org>"), "by itself"),
            (mail("MAILER-DAEMON@example.org", "Undelivered", "Sorry"), "by itself"),
            (mail(ANNA, "Undelivered", "Sorry", Return_Path="<>"), "by itself"),
            (mail(f"{ANNA}, bert@example.org", "Access", "Ours"), "no single sender"),
            (mail("nobody", "Access", "Mine"), "no single sender"),
            (mail(ANNA, "", " "), "says nothing"),
        ]:
            code, said = mailed(program, content.as_bytes())
            assert code == 0 and "Nothing was done" in said and says in said, (content.as_string(), said)
        # Somebody writes in Carla's name, again and again.
        for times in range(5):
            code, said = mailed(program, mail("Carla@example.org", "Access", f"once more {times}").as_bytes())
            assert code == 0 and ("Nothing was done" in said) == (times >= 3), (times, said)
        wait_for(lambda: len(box.to("Carla@example.org")) == 3, "three letters")
        # Whatever comes, nothing breaks.
        dice = random.Random(7)
        whole = html.as_bytes()
        for content in [b"", b"\0", b"From: ", b"From: a@b\n" * 10_000, b"(" * 100_000, dice.randbytes(50_000),
                        whole[: len(whole) // 2], whole.replace(b"boundary", b"bound", 1),
                        b"From: dora@example.org\nSubject: Objection\n\n" + b"x" * 5_000_000]:
            code, said = mailed(program, content)
            assert code == 0, (content[:80], said)
        assert program.stop() == 0
    finally:
        box.close()


def test_promise_rgt_11_a_mail_that_comes_while_the_house_is_shut_comes_again(program, tmp_path):
    program.start()
    assert program.stop() == 0
    (program.data / "kek").rename(tmp_path / "kek")
    code, said = mailed(program, mail(ANNA, "Access", "Mine").as_bytes())
    assert code == 75 and "kek" in said, said
