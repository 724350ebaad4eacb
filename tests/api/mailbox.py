"""A mail server of a few lines, that keeps what it is given."""

import email
import email.policy
import re
import socketserver
import threading
from html.parser import HTMLParser


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
        box = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self):
                self.say("220 ready")
                while line := self.rfile.readline():
                    verb = line.split(b" ")[0].strip().upper()
                    if verb == b"DATA":
                        self.say("354 go on")
                        box.keep(self.data())
                        self.say("250 taken")
                    elif verb == b"QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 fine")

            def data(self):
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                return b"".join(lines)

            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        self.url = f"smtp://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def keep(self, data):
        letter = email.message_from_bytes(data, policy=email.policy.default)
        self.wrong += judged(letter)
        self.letters.append(letter)

    def to(self, address):
        return [letter for letter in self.letters if address in letter["to"]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        assert not self.wrong, self.wrong
