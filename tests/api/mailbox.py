"""A mailbox behind somebody else's mail server (aiosmtpd), that keeps what it is given and judges it."""

import asyncio
import email
import email.policy
import re
import threading
from html.parser import HTMLParser

from aiosmtpd.smtp import SMTP

HEADERS = {
    "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding",
    "list-unsubscribe", "list-unsubscribe-post",
}


class Reader(HTMLParser):
    """Reads a page as a mail program would: what it loads, and where its links lead."""

    def __init__(self):
        super().__init__()
        self.loads, self.links = [], []

    def handle_starttag(self, tag, attributes):
        if tag in ("img", "link", "script", "iframe", "object", "embed", "video", "audio", "source", "base", "form"):
            self.loads.append(tag)
        for name, value in attributes:
            if name in ("src", "srcset", "background", "poster") or "url(" in (value or ""):
                self.loads.append(f"{tag} {name}")
            if name == "href":
                self.links.append(value or "")


def judged(letter):
    """What is wrong with a letter: its last line names its house, and everything in it is of that house."""
    plain, html = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))
    home = plain.strip().rsplit("\n", 1)[-1]
    read = Reader()
    read.feed(html)
    wrong = [f"header {name}" for name in letter.keys() if name.lower() not in HEADERS]
    wrong += [f"loads {what}" for what in read.loads]
    for link in read.links + re.findall(r"""https?://[^\s"'<>]+""", plain):
        path = link.removeprefix(home)
        if path == link or re.search("[?#&=]", path):
            wrong.append(f"leads to {link}")
    return [f"{letter['subject']}: {what}" for what in wrong]


class Mailbox:
    def __init__(self):
        self.letters = []
        # What a letter had in it that follows its reader, or leads them elsewhere.
        self.wrong = []
        # Cleared, it lets nobody leave a letter for a while.
        self.takes = threading.Event()
        self.takes.set()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = self.run(self.loop.create_server(lambda: SMTP(self, loop=self.loop), "127.0.0.1", 0))
        self.at = self.server.sockets[0].getsockname()
        self.url = f"smtp://{self.at[0]}:{self.at[1]}"

    def run(self, work):
        async def waited():
            return await work

        return asyncio.run_coroutine_threadsafe(waited(), self.loop).result(60)

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802, the name that aiosmtpd calls
        await asyncio.to_thread(self.keep, envelope.content)
        return "250 taken"

    def keep(self, data):
        self.takes.wait(60)
        letter = email.message_from_bytes(data, policy=email.policy.default)
        self.wrong += judged(letter)
        self.letters.append(letter)

    def to(self, address):
        return [letter for letter in self.letters if address in letter["to"]]

    def close(self):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        assert not self.wrong, self.wrong
