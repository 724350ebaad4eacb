"""A change of the privacy notice that matters reaches everybody: by mail, on the site and in the app."""

import os
from email.utils import parseaddr

import httpx2
import pytest

from mailbox import Mailbox
from program import Program, wait_for
from test_news import change
from test_policies import HOME, get, later, machine, text

# All that a large house has: PINHOLE_TEST_PEOPLE=10000.
PEOPLE = int(os.environ.get("PINHOLE_TEST_PEOPLE", "240"))
SUBJECT = "Our privacy notice changes"
OTHER = "Another Controller Ltd"


@pytest.fixture
def mailbox():
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture
def house(tmp_path, mailbox):
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url, PINHOLE_PUBLIC_URL=HOME).start()
    yield program
    program.kill()


def invite(house, many):
    addresses = [f"p{number:05}@example.org" for number in range(many)]
    file = house.folder / "people.txt"
    file.write_text("\n".join(addresses) + "\n")
    assert f"{many} accounts" in house.command("admin", "person", "invite", str(file))
    return addresses


def publish(house):
    """Somebody else answers for the house from a month on."""
    more = dict(house.more)
    house.more["PINHOLE_CONTROLLER"] = OTHER
    told = house.command("privacy", "publish")
    house.more = more
    assert "It matters to people" in told


def letters(mailbox):
    return [letter for letter in list(mailbox.letters) if letter["subject"] == SUBJECT]


def waiting(house):
    [(count,)] = house.rows("SELECT COUNT(*) FROM letter WHERE state = 'waiting'")
    return int(count)


def told(house):
    [(count,)] = house.rows("SELECT COUNT(*) FROM policy_notice")
    return int(count)


def test_promise_pol_02_a_change_that_matters_goes_to_each_person_once_through_power_cuts(house, mailbox):
    addresses = invite(house, PEOPLE)
    house.kill()
    publish(house)
    cuts = 0
    # While they are written, before and after what is written is kept; then while they go out.
    for point in ("policy-told-uncommitted:2", "policy-told-committed:3", "policy-told-uncommitted:1"):
        house.more["PINHOLE_FAIL_AT"] = point
        house.spawn()
        assert house.ended() != 0
        cuts += 1
    del house.more["PINHOLE_FAIL_AT"]
    assert 0 < told(house) < PEOPLE
    for part in (0.1, 0.4, 0.7):
        house.start()
        # Counted, not read: of a large house, reading them takes longer than sending.
        wait_for(lambda: len(mailbox.letters) >= part * PEOPLE, "some of the letters", 600)
        house.kill()
        cuts += 1
        if house.database:
            # What a process had taken that others can't know to be dead waits five minutes; the test doesn't.
            change(house, "UPDATE letter SET due_ms = 0 WHERE state = 'waiting'")
    house.start()
    wait_for(lambda: told(house) == PEOPLE and waiting(house) == 0, "everything to be sent", 600)
    got = letters(mailbox)
    assert {parseaddr(letter["to"])[1] for letter in got} == set(addresses)
    # One letter each. Where the power went between the server's yes and the row that says so, it is handed over
    # once more under the same number, by which mail servers know it again.
    numbers = {}
    for letter in got:
        numbers.setdefault(parseaddr(letter["to"])[1], set()).add(letter["message-id"])
    assert all(len(each) == 1 for each in numbers.values())
    assert len({number for each in numbers.values() for number in each}) == PEOPLE
    assert PEOPLE <= len(got) <= PEOPLE + cuts, (len(got), cuts)
    body = got[0].get_body(("plain",)).get_content()
    assert OTHER in body and f"{HOME}/privacy/versions/2/changes" in body
    # Once more is nothing more, and whoever comes while it waits is told as well.
    house.command("admin", "person", "add", "--email", "late@example.org")
    wait_for(lambda: told(house) == PEOPLE + 1 and waiting(house) == 0, "the letter to who came late")
    assert len([letter for letter in letters(mailbox) if "late@example.org" in letter["to"]]) == 1
    assert len(letters(mailbox)) == len(got) + 1


def test_a_link_that_one_person_waits_for_overtakes_what_goes_to_everybody(house, mailbox):
    invite(house, 60)
    house.kill()
    publish(house)
    mailbox.takes.clear()
    house.start()
    wait_for(lambda: told(house) == 60, "everybody's letter to be written")
    with httpx2.Client(base_url=house.url, headers={"sec-fetch-site": "same-origin"}, timeout=120) as http:
        assert http.post("/reset", data={"address": "p00042@example.org"}).status_code == 200
    wait_for(lambda: waiting(house) == 61, "the letter with the link to be written")
    mailbox.takes.set()
    wait_for(lambda: waiting(house) == 0, "everything to be sent")
    subjects = [letter["subject"] for letter in mailbox.letters]
    assert subjects.count(SUBJECT) == 60 and len(subjects) == 61, subjects
    [place] = [place for place, subject in enumerate(subjects) if subject != SUBJECT]
    # Behind those alone that were on their way already.
    assert place <= 20, place


def test_promise_pol_02_a_change_that_does_not_matter_is_told_to_nobody(house, mailbox):
    invite(house, 3)
    assert house.stop() == 0
    house.more["PINHOLE_CONTROLLER_ADDRESS"] = "2 Other Street, 12345 Exampletown, Norway"
    assert "Nothing in it has to wait" in house.command("privacy", "publish")
    house.start()
    assert machine(house)["in_force"]["number"] == 2
    assert "announced" not in text(house, "/about")
    assert told(house) == 0 and letters(mailbox) == []


PAGES = ("/", "/about", "/privacy", "/privacy/versions", "/privacy/words", "/sign-in", "/sign-up", "/trust", "/docs",
         "/no/such/page")


def test_promise_pol_03_the_site_says_so_until_a_month_after_its_day_and_remembers_nobody(house):
    def banners():
        found = {}
        for page in PAGES:
            answer = get(house, page, follow_redirects=False)
            if answer.status_code in (200, 404) and "html" in answer.headers["content-type"]:
                assert "set-cookie" not in answer.headers, page
                found[page] = '<aside class="announced"' in answer.text
        assert len(found) > 6, found
        return found

    assert not any(banners().values())
    publish(house)
    # What was seen holds for a second.
    wait_for(lambda: all(banners().values()), "the banner on every page", 20)
    assert "/privacy/versions/2/changes" in text(house, "/about") and "<script" not in text(house, "/about")
    assert house.stop() == 0
    house.more["PINHOLE_CONTROLLER"] = OTHER
    for days, is_told in ((31, True), (59, True), (61, False)):
        later(house, days)
        house.start()
        assert machine(house)["in_force"]["number"] == 2
        assert set(banners().values()) == {is_told}, days
        assert house.stop() == 0
