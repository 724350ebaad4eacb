"""Witnesses of the log, as C2SP's tlog-witness has them: one that shares no code with the house, a log that
shares none either, and two houses that watch each other."""

import base64
import contextlib
import hashlib
import http.server
import shutil
import struct
import threading
import time
import urllib.parse
import uuid

import httpx2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from program import POSTGRES, Program, psql, wait_for
from test_log import audit

LOG, WITNESS = 1, 4


def encoded(content):
    return base64.b64encode(content).decode()


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def told(name, kind, public):
    return f"{name}+{key_id(name, kind, public).hex()}+{encoded(bytes([kind]) + public)}"


def read_key(text):
    name, _, key = text.split("+", 2)
    content = base64.b64decode(key)
    assert told(name, content[0], content[1:]) == text
    return name, content[0], content[1:]


def raw(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def signatures(note, name, kind, public):
    for line in note.rsplit("\n\n", 1)[1].splitlines():
        dash, signer, content = line.split(" ")
        content = base64.b64decode(content)
        if (dash, signer) == ("\u2014", name) and content[:4] == key_id(name, kind, public):
            yield content[4:]


def check(public, signature, text):
    Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode())


def cosigned(note, witness):
    """When the witness saw the note; fails where it did not."""
    name, kind, public = witness
    text = note.rsplit("\n\n", 1)[0] + "\n"
    found = list(signatures(note, name, kind, public))
    assert len(found) == 1, note
    (seconds,) = struct.unpack(">Q", found[0][:8])
    check(public, found[0][8:], f"cosignature/v1\ntime {seconds}\n{text}")
    return seconds


def joined(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves):
    """RFC 6962, 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return joined(root(leaves[:middle]), root(leaves[middle:]))


def consistency(earlier, leaves, is_whole=True):
    """RFC 6962, 2.1.2."""
    if earlier == len(leaves):
        return [] if is_whole else [root(leaves)]
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    if earlier <= middle:
        return [*consistency(earlier, leaves[:middle], is_whole), root(leaves[middle:])]
    return [*consistency(earlier - middle, leaves[middle:], False), root(leaves[:middle])]


def holds(old, old_root, new, new_root, proof):
    """RFC 9162, 2.1.4.2."""
    if old == new:
        return old_root == new_root and not proof
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = joined(step, before), joined(step, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = joined(after, step)
        at, last = at >> 1, last >> 1
    return (before, after, last) == (old_root, new_root, 0)


class Watcher:
    """A witness of one log."""

    def __init__(self):
        self.key = Ed25519PrivateKey.generate()
        self.name = "watcher.example/one"
        self.log = None
        self.size, self.root = 0, None
        self.asked = []
        self.is_silent = False
        watcher = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                status, kind, text = watcher.answer(self.path, body)
                watcher.asked.append(status)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told(self):
        return told(self.name, WITNESS, raw(self.key))

    def setting(self):
        return f"{self.told()} http://127.0.0.1:{self.server.server_port}/w"

    def answer(self, path, body):
        assert path == "/w/add-checkpoint"
        if self.is_silent:
            return 503, "text/plain", "later\n"
        lead, note = body.split("\n\n", 1)
        old, *proof = lead.split("\n")
        old = int(old.removeprefix("old "))
        proof = [base64.b64decode(line) for line in proof]
        text = note.rsplit("\n\n", 1)[0] + "\n"
        origin, size, head, *_ = text.split("\n")
        if self.log is None or origin != self.log[0]:
            return 404, "text/plain", "unknown\n"
        try:
            (signature,) = signatures(note, *self.log)
            check(self.log[2], signature, text)
        except InvalidSignature:
            return 403, "text/plain", "forged\n"
        if old != self.size:
            return 409, "text/x.tlog.size", f"{self.size}\n"
        head = base64.b64decode(head)
        if old == 0 and proof or old and not holds(old, self.root, int(size), head, proof):
            return 422, "text/plain", "that is another past\n"
        self.size, self.root = int(size), head
        seconds = int(time.time())
        said = self.key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        content = key_id(self.name, WITNESS, raw(self.key)) + struct.pack(">Q", seconds) + said
        return 200, "text/plain", f"\u2014 {self.name} {encoded(content)}\n"


@pytest.fixture
def watcher():
    watcher = Watcher()
    yield watcher
    watcher.server.shutdown()


def house(program):
    return httpx2.get(f"{program.url}/.well-known/pinhole-house.json").json()


def note_of(program, name, at_least=1):
    """What this witness signed, once it has seen so many entries."""
    address = f"{program.url}/trust/witnessed/{urllib.parse.quote(name, safe='')}"

    def signed():
        answer = httpx2.get(address)
        return answer.text if answer.status_code == 200 and int(answer.text.split("\n")[1]) >= at_least else None

    return wait_for(signed, "a witness to sign")


def give(program, address):
    program.command("admin", "person", "add", "--email", address, "--credits", "1")


def entries(program):
    return int(program.rows("SELECT size FROM log_head")[0][0])


def placed(program, at_least):
    wait_for(lambda: entries(program) >= at_least, "entries to get their place")


def test_promise_x_08_a_witness_of_others_signs_what_it_saw(program, watcher):
    program.more["PINHOLE_WITNESSES"] = watcher.setting()
    program.start()
    # It does not know the log yet, and says so.
    wait_for(lambda: program.rows("SELECT trouble FROM log_witness") == [("unknown",)], "the first answer")
    assert "does not watch this log" in httpx2.get(f"{program.url}/trust").text
    log = watcher.log = read_key(house(program)["log"])
    assert log[1] == LOG
    assert program.stop() == 0
    program.start()
    for number in range(3):
        note = note_of(program, watcher.name, number and entries(program))
        assert cosigned(note, (watcher.name, WITNESS, raw(watcher.key))) <= time.time()
        (signature,) = signatures(note, *log)
        check(log[2], signature, note.rsplit("\n\n", 1)[0] + "\n")
        assert f"{watcher.size}" == note.split("\n")[1]
        before = entries(program)
        give(program, f"anna{number}@example.org")
        placed(program, before + 1)
        assert program.stop() == 0
        program.start()
    page = httpx2.get(f"{program.url}/trust").text
    assert watcher.name in page and "It signed last on" in page
    assert 422 not in watcher.asked and 403 not in watcher.asked
    # Who drops a witness can't do so unseen.
    changed = "SELECT COUNT(*) FROM log_entry WHERE kind = 'witnesses_changed'"
    assert program.rows(changed) == [("1",)]
    assert program.stop() == 0
    del program.more["PINHOLE_WITNESSES"]
    program.start()
    wait_for(lambda: program.rows(changed) == [("2",)], "the change to be logged")
    wait_for(lambda: program.rows("SELECT COUNT(*) FROM log_witness") == [("0",)], "the witness to be dropped")
    assert program.stop() == 0


@contextlib.contextmanager
def as_it_was(program, folder):
    """Puts everything back that an operator has, keys and all, as it was when this began."""
    saved = folder / "saved"
    shutil.copytree(program.data, saved)
    copy = None
    if POSTGRES:
        copy = program.database.rsplit("/", 1)[0] + f"/pinhole_api_{uuid.uuid4().hex}"
        for suffix in ("", "_keys"):
            source, target = (name.rsplit("/", 1)[1] + suffix for name in (program.database, copy))
            psql(POSTGRES, f"CREATE DATABASE {target} TEMPLATE {source}")
    yield
    shutil.rmtree(program.data)
    shutil.copytree(saved, program.data)
    if copy:
        program.database = program.more["PINHOLE_DATABASE"] = copy


def test_promise_x_08_whoever_turns_the_whole_house_back_is_found_by_its_witness(program, watcher, tmp_path):
    program.more["PINHOLE_WITNESSES"] = watcher.setting()
    program.start()
    watcher.log = read_key(house(program)["log"])
    assert program.stop() == 0
    program.start()
    note_of(program, watcher.name)
    assert program.stop() == 0
    with as_it_was(program, tmp_path):
        program.start()
        before = entries(program)
        for address in ("anna@example.org", "berta@example.org"):
            give(program, address)
        placed(program, before + 2)
        assert program.stop() == 0
        program.start()
        note_of(program, watcher.name, before + 2)
        assert audit(program)[0] == 0
        assert program.stop() == 0
    # Neither the database nor the key store knows of it any more.
    program.start()
    assert entries(program) == before
    wait_for(lambda: program.rows("SELECT trouble FROM log_witness") == [("forked",)], "the witness to object")
    code, said = audit(program)
    assert code == 1 and f"{watcher.name} saw {before + 2} entries" in said, said
    assert "It saw another past" in httpx2.get(f"{program.url}/trust").text
    # Nor does it help to log as much again.
    for address in ("carla@example.org", "doris@example.org", "edith@example.org"):
        give(program, address)
    placed(program, before + 3)
    assert program.stop() == 0
    program.start()
    asked = len(watcher.asked)
    wait_for(lambda: 422 in watcher.asked[asked - 1 :], "the witness to be asked again")
    code, said = audit(program)
    assert code == 1 and watcher.name in said, said
    # Nor that it can't be reached any more.
    watcher.is_silent = True
    assert program.stop() == 0
    asked = len(watcher.asked)
    program.start()
    wait_for(lambda: 503 in watcher.asked[asked:], "the witness to be asked once more")
    assert program.stop() == 0
    program.start()
    assert program.rows("SELECT trouble FROM log_witness") == [("forked",)]
    assert audit(program)[0] == 1
    # And who asks it no more keeps what it had to say.
    assert program.stop() == 0
    del program.more["PINHOLE_WITNESSES"]
    program.start()
    assert audit(program)[0] == 1
    assert program.stop() == 0


def test_promise_x_08_a_house_is_the_witness_of_another_ones_log(program):
    """The log is one that shares no code with the house."""
    key = Ed25519PrivateKey.generate()
    name = "other.example/log"
    program.more["PINHOLE_WITNESS_FOR"] = told(name, LOG, raw(key))
    program.start()
    witness = read_key(house(program)["witness"])
    assert witness[1] == WITNESS
    leaves = [f"leaf {number}".encode() for number in range(200)]
    address = f"{program.url}/witness/add-checkpoint"

    def note(some, origin=name, signer=key):
        text = f"{origin}\n{len(some)}\n{encoded(root(some))}\n"
        content = key_id(origin, LOG, raw(key)) + signer.sign(text.encode())
        return f"{text}\n\u2014 {origin} {encoded(content)}\n"

    def show(old, some, proof=None, **other):
        proof = (consistency(old, some) if old else []) if proof is None else proof
        lines = "".join(f"{encoded(hash)}\n" for hash in proof)
        return httpx2.post(address, content=f"old {old}\n{lines}\n{note(some, **other)}")

    for broken in ["", "old", "old x\n\n", "old 0\n", f"old 00\n\n{note(leaves)}", f"old 0\nx\n\n{note(leaves)}",
                   f"old 201\n\n{note(leaves)}", "old 0\n" + "A" * 44 + "\n" * 2 + "no note"]:
        answer = httpx2.post(address, content=broken)
        assert answer.status_code == 400, (broken, answer.text)
    assert httpx2.post(address, content=b"\xff\xfe").status_code == 400
    assert httpx2.post(address, content="x" * 40_000_000).status_code == 413
    assert show(0, leaves[:1], origin="third.example/log").status_code == 404
    assert show(0, leaves[:1], signer=Ed25519PrivateKey.generate()).status_code == 403

    known = 0
    for size in (1, 2, 3, 7, 8, 64, 64, 130, 200):
        some = leaves[:size]
        answer = show(known, some)
        assert answer.status_code == 200, answer.text
        assert time.time() - 100 < cosigned(note(some) + answer.text, witness) <= time.time() + 1
        known = size
        # What is older than what it signed, it signs no more, and says how far it is.
        stale = show(size - 1, some)
        assert (stale.status_code, stale.text) == (409, f"{size}\n")
        assert stale.headers["content-type"] == "text/x.tlog.size"
    other = [b"another past", *leaves[1:]]
    assert show(200, other).status_code == 409
    longer = [*other, b"more"]
    assert show(200, longer).status_code == 422
    assert show(200, [*leaves, b"more"], proof=[]).status_code == 422
    # It remembers.
    program.kill()
    program.start()
    address = f"{program.url}/witness/add-checkpoint"
    assert show(0, longer).text == "200\n"
    assert show(200, [*leaves, b"more"]).status_code == 200
    assert program.stop() == 0


def test_promise_x_08_two_houses_watch_each_other(program, tmp_path):
    (tmp_path / "other").mkdir()
    other = Program(tmp_path / "other")
    try:
        for one in (program, other):
            one.start()
        # Ports change with each start: each is asked at the port that it has, so one starts last and stays.
        for asks, signs in ((program, other), (other, program)):
            said, log = house(signs), house(asks)["log"]
            assert signs.stop() == 0
            signs.more["PINHOLE_WITNESS_FOR"] = log
            signs.start()
            assert asks.stop() == 0
            asks.more["PINHOLE_WITNESSES"] = f"{said['witness']} {signs.url}/witness"
            asks.start()
            witness = read_key(said["witness"])
            cosigned(note_of(asks, witness[0]), witness)
        assert audit(program)[0] == 0
    finally:
        other.kill()


@pytest.mark.parametrize(("variable", "value", "says"), [
    ("PINHOLE_WITNESSES", "x", "write its key, a space, and its address"),
    ("PINHOLE_WITNESSES", "x http://127.0.0.1", "no key of a log or of a witness"),
    ("PINHOLE_WITNESSES", f"{told('a', LOG, bytes(32))} https://a.example", "is the key of a log"),
    ("PINHOLE_WITNESSES", f"{told('a', WITNESS, bytes(32))} http://a.example", "reached at an https:// address"),
    ("PINHOLE_WITNESS_FOR", told("a", WITNESS, bytes(32)), "is the key of a witness"),
    ("PINHOLE_WITNESS_FOR", told("a", LOG, bytes(32)).replace("a+", "b+", 1), "no key of a log or of a witness"),
])
def test_a_witness_that_is_named_wrongly_keeps_the_house_closed(program, variable, value, says):
    program.more[variable] = value
    program.spawn()
    assert program.ended() == 1
    assert says in program.log(), program.log()
