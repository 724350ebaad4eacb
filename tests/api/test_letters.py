"""Letters at the mail server: what each of them may hold, judged by the mailbox itself."""

import re
from email.message import EmailMessage

import httpx2
from mailbox import Mailbox, judged
from program import wait_for

FORM = {"sec-fetch-site": "same-origin"}
ANNA, GUEST, OPERATOR = "anna@example.org", "guest@example.org", "op@example.org"
PASSWORD = "three green apples"


def written(html, **headers):
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "house@example.org", ANNA, "A letter"
    for name, value in headers.items():
        letter[name.replace("_", "-")] = value
    letter.set_content("Hello.\n\nhttps://house.example/reset/x\n\nYours\nhttps://house.example\n")
    letter.add_alternative(html, subtype="html")
    return letter


def test_the_judge_sees_what_follows_a_reader():
    good = '<p>Hello</p><a href="https://house.example/reset/x">Go on</a>'
    assert judged(written(good)) == []
    for bad in (
        '<img alt="" height="1" width="1">',
        '<p style="background:url(x)">',
        '<a href="https://house.example/reset/x?utm_source=mail">Go on</a>',
        '<a href="https://house.example/reset/x#who">Go on</a>',
        '<a href="https://click.example/reset/x">Go on</a>',
        '<a href="//click.example">Go on</a>',
    ):
        assert judged(written(good + bad)), bad
    assert judged(written(good, Disposition_Notification_To="spy@example.org"))


def test_promise_com_02_letters_that_arrive_lead_to_their_house_and_load_nothing(program):
    box = Mailbox()
    try:
        program.more |= {"PINHOLE_SMTP": box.url, "PINHOLE_MAIL_FROM": "Pinhole <house@pictures.example.org>"}
        program.start()
        welcome = re.search(r"make the first account: (\S+)", program.log())[1]
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as http:

            def link(address, path):
                found = lambda: [match[0] for letter in box.to(address) if (match := re.search(
                    rf"http://\S+{path}\S+", letter.get_body(("plain",)).get_content()))]
                return wait_for(found, f"a letter with {path}")[0]

            form = {"address": OPERATOR, "password": PASSWORD, "adopt": "1"}
            assert http.post(welcome, data=form).status_code == 303
            operator = httpx2.Client(base_url=program.url, headers=FORM, cookies=http.cookies, timeout=120)
            http.cookies.clear()
            form = {"address": ANNA, "password": PASSWORD, "born": "1990-05-17"}
            assert http.post("/sign-up", data=form).status_code == 200
            assert http.post(link(ANNA, "/sign-up/"), data={"password": PASSWORD}).status_code == 303
            assert http.post("/reset", data={"address": ANNA}).status_code == 200
            link(ANNA, "/reset/")
            http.cookies.clear()
            guest = {"address": GUEST, "about": "access", "words": "what is kept of me?"}
            assert http.post("/privacy/request", data=guest).status_code == 200
            assert http.post(link(GUEST, "/privacy/request/confirm/")).status_code == 303
            question = {"address": GUEST, "about": "fault", "subject": "slow", "words": "Why?"}
            assert http.post("/support", data=question).status_code == 200
            ticket = http.post(link(GUEST, "/support/confirm/")).headers["location"]
            duty = {"for": "support", "reason": "A guest asks why it is slow.", "minutes": "30"}
            assert operator.post("/desk/duties", data=duty).status_code == 303
            desk = "/desk/support/" + ticket.removeprefix("/support/").split(".")[0]
            answer = {"words": "It <b>was</b> <img src=x>.", "do": "close"}
            assert operator.post(desk, data=answer).status_code == 303
            came = lambda: any("It <b>was</b>" in letter.get_body(("plain",)).get_content() for letter in box.to(GUEST))
            wait_for(came, "the answer")
        subjects = {letter["subject"] for letter in box.letters}
        assert len(subjects) >= 8, subjects
        assert box.wrong == []
        assert program.stop() == 0
    finally:
        box.close()
