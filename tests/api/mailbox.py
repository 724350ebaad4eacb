"""A mail server of a few lines, that keeps what it is given."""

import email
import email.policy
import socketserver
import threading


class Mailbox:
    def __init__(self):
        self.letters = []
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
        self.letters.append(email.message_from_bytes(data, policy=email.policy.default))

    def to(self, address):
        return [letter for letter in self.letters if address in letter["to"]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
