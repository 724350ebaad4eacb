"""News by e-mail, as the mail server of those who want them sees it."""

import contextlib
import json
import re
import sqlite3
import subprocess
import time
from email.utils import parseaddr

import httpx2
import pytest

from mailbox import Mailbox
from program import Program, run, wait_for

HOME = "https://pictures.example.org"
HOST = {"host": "pictures.example.org"}
NEWS = "A larger model is here.\n\nSee https://pictures.example.org/about for what it draws.\n"


class SlowMailbox(Mailbox):
    """Takes its time over each letter, and knows when it had it."""

    def __init__(self):
        self.pause_s = 0
        self.arrived = []
        super().__init__()

    def keep(self, data):
        time.sleep(self.pause_s)
        super().keep(data)
        self.arrived.append(time.monotonic())

    def news(self):
        """Address and moment of each letter with news."""
        pairs = zip(list(self.letters), list(self.arrived))
        return [(parseaddr(letter["to"])[1], when) for letter, when in pairs if letter["subject"] == "A larger model"]


@pytest.fixture
def mailbox():
    box = SlowMailbox()
    yield box
    box.close()


@pytest.fixture
def house(tmp_path, mailbox):
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url, PINHOLE_PUBLIC_URL=HOME).start()
    yield program
    program.kill()


def api(house, key):
    return httpx2.Client(base_url=house.url, headers=HOST | {"authorization": f"Bearer {key}"}, timeout=120)


def people(house, *names):
    """Their keys, by address."""
    made = {}
    for name in names:
        address = f"{name}@example.org"
        done = house.command("admin", "person", "add", "--email", address, "--key", "--json")
        made[address] = json.loads(done)["api_key"]
    return made


def plain(letter):
    return letter.get_body(("plain",)).get_content()


def path_in(letter, place):
    """Where a link of the letter leads, without the name of the house."""
    return re.search(rf"{HOME}(/{place}/\S+)", plain(letter))[1]


def press(house, path):
    """As a mail program does: no cookie, no key, no origin."""
    body = {"List-Unsubscribe": "One-Click"}
    return httpx2.post(house.url + path, headers=HOST, data=body, timeout=60)


def agree(house, mailbox, keys):
    """Everybody says yes, and confirms it by the letter."""
    for address, key in keys.items():
        with api(house, key) as http:
            said = http.put("/v1/me/consents/news", json={"version": 1})
            assert said.status_code == 200, said.text
    for address in keys:
        asks = lambda: [one for one in mailbox.to(address) if "want news" in one["subject"]]
        letter = wait_for(asks, f"the letter that asks {address}")[0]
        assert press(house, path_in(letter, "news/confirm")).status_code == 200


def send(house, tmp_path, **more):
    file = tmp_path / "news.txt"
    file.write_text(NEWS)
    arguments = ("admin", "news", "send", "--subject", "A larger model", "--file", str(file))
    return run(*arguments, cwd=house.folder, data=house.data, more=house.more | more)


def unsent(house):
    return house.rows("SELECT COUNT(*) FROM letter WHERE state = 'waiting'") != [("0",)]


def test_promise_cns_06_news_reach_who_wants_them_and_one_press_ends_them(house, mailbox, tmp_path):
    keys = people(house, "anna", "bob", "cleo")
    wanting = {address: key for address, key in keys.items() if not address.startswith("cleo")}
    agree(house, mailbox, wanting)
    sent = send(house, tmp_path)
    assert sent.returncode == 0 and b"2 letters are written" in sent.stdout, sent.stderr
    wait_for(lambda: len(mailbox.news()) == 2, "the news")
    [letter] = [one for one in mailbox.to("anna@example.org") if one["subject"] == "A larger model"]
    leave = path_in(letter, "news/leave")
    assert letter["list-unsubscribe"] == f"<{HOME}{leave}>"
    assert letter["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    for part in ("plain", "html"):
        words = letter.get_body((part,)).get_content()
        assert "A larger model is here." in words
        links = re.findall(r"https?://[^\s\"<)]+", words)
        links = [link.rstrip(".") for link in links]
        assert links and all(link == HOME or link.startswith(f"{HOME}/") for link in links), links
    for remote in ("<img", "src=", "url(", "<link", "@import"):
        assert remote not in letter.get_body(("html",)).get_content()
    # Letters about the account bear no such header.
    others = [one for one in mailbox.letters if one["subject"] != "A larger model"]
    assert len(others) >= 2
    assert all(one["list-unsubscribe"] is None and one["list-unsubscribe-post"] is None for one in others)

    # The same once more writes nothing, and looking at the link ends nothing.
    again = send(house, tmp_path)
    assert again.returncode == 0 and b"nothing was written" in again.stdout, again.stderr
    assert httpx2.get(house.url + leave, headers=HOST).status_code == 200
    assert press(house, leave).status_code == 200
    other = run("admin", "news", "send", "--subject", "A larger model", "--file", "-", cwd=house.folder,
                data=house.data, more=house.more)
    assert other.returncode != 0 and b"not empty" in other.stderr
    (tmp_path / "more.txt").write_text("More of it.")
    second = house.command("admin", "news", "send", "--subject", "A larger model", "--file", str(tmp_path / "more.txt"))
    assert "1 letters are written" in second
    wait_for(lambda: len(mailbox.news()) == 3, "the second news")
    # Somebody writes a letter on paper; those who run the house take it back for them.
    house.command("admin", "person", "withdraw", "--email", "bob@example.org", "--purpose", "news")
    (tmp_path / "more.txt").write_text("Still more of it.")
    third = house.command("admin", "news", "send", "--subject", "A larger model", "--file", str(tmp_path / "more.txt"))
    assert "0 letters are written" in third
    wait_for(lambda: not unsent(house), "everything to be sent")
    counted = sorted(address for address, _ in mailbox.news())
    assert counted == ["anna@example.org", "bob@example.org", "bob@example.org"]
    # Nobody links elsewhere, nor hides a second header in the subject.
    (tmp_path / "more.txt").write_text("See https://evil.example/pixel.gif")
    for subject in ("Look", "a\nBcc: all@example.org"):
        refused = run("admin", "news", "send", "--subject", subject, "--file", str(tmp_path / "more.txt"),
                      cwd=house.folder, data=house.data, more=house.more)
        assert refused.returncode != 0
    assert "anna@example.org" not in house.log()


def test_promise_cns_06_who_says_no_while_news_go_out_gets_none(house, mailbox, tmp_path):
    keys = people(house, *(f"p{number:02}" for number in range(12)))
    agree(house, mailbox, keys)
    mailbox.pause_s = 0.4
    assert send(house, tmp_path).returncode == 0
    wait_for(mailbox.news, "the first news")
    ended = {}
    for address, key in list(keys.items())[::2]:
        with api(house, key) as http:
            assert http.delete("/v1/me/consents/news").status_code == 200
        ended[address] = time.monotonic()
    wait_for(lambda: not unsent(house), "everything to be sent")
    time.sleep(2 * mailbox.pause_s)
    got = [address for address, _ in mailbox.news()]
    assert len(got) == len(set(got)), "nobody gets it twice"
    assert set(keys) - set(ended) <= set(got), "everybody else gets it"
    late = [address for address, when in mailbox.news() if when > ended.get(address, when) + 1]
    assert late == [], "a second after the no, nothing comes"
    assert len(set(got) & set(ended)) < len(ended), "most of them said no in time"


@pytest.mark.parametrize("point", ["news-uncommitted", "news-committed"])
def test_promise_cns_06_news_that_were_cut_off_reach_everybody_once(house, mailbox, tmp_path, point):
    keys = people(house, *(f"p{number:02}" for number in range(23)))
    agree(house, mailbox, keys)
    cut = 0
    for time_passed in (1, 2, 1, 1):
        done = send(house, tmp_path, PINHOLE_FAIL_AT=f"{point}:{time_passed}")
        assert b"no such point" not in done.stderr
        cut += done.returncode != 0
    assert cut >= 2
    done = send(house, tmp_path)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: len(mailbox.news()) >= len(keys) and not unsent(house), "the news")
    assert sorted(address for address, _ in mailbox.news()) == sorted(keys)


def test_promise_cns_06_a_power_cut_while_news_go_out_sends_them_to_nobody_twice(house, mailbox, tmp_path):
    keys = people(house, *(f"p{number:02}" for number in range(12)))
    agree(house, mailbox, keys)
    house.kill()
    assert send(house, tmp_path).returncode == 0
    cuts = 0
    house.more["PINHOLE_FAIL_AT"] = "news-going:3"
    # What was taken to be sent waits until no other process can be sending it; the test doesn't.
    waiting = "UPDATE letter SET due_ms = 0 WHERE state = 'waiting'"
    for _ in range(2):
        house.start()
        house.process.wait(60)
        cuts += 1
        change(house, waiting)
    house.more.pop("PINHOLE_FAIL_AT")
    house.start()
    # What was in flight is lost, and no more.
    wait_for(lambda: len(mailbox.news()) >= len(keys) - cuts and not unsent(house), "everything to be sent")
    got = [address for address, _ in mailbox.news()]
    assert len(got) == len(set(got)), "nobody gets it twice"


def change(house, statement):
    if house.database:
        subprocess.run(["psql", "--dbname", house.database, "--command", statement], check=True, capture_output=True)
    else:
        with contextlib.closing(sqlite3.connect(house.data / "pinhole.db")) as opened:
            opened.execute(statement)
            opened.commit()
