"""The program under test, started in an environment of its own."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
import uuid
from pathlib import Path

BINARY = Path(os.environ["PINHOLE_BIN"])
# A server for databases of tests; without it each program has its SQLite file.
POSTGRES = os.environ.get("PINHOLE_TEST_POSTGRES")
START_S = 120
STOP_S = 60
# Who answers for a house that others reach: without it none opens.
CONTROLLER = {
    "PINHOLE_CONTROLLER": "Example Pictures Ltd",
    "PINHOLE_CONTROLLER_ADDRESS": "1 Example Street, 12345 Exampletown, Norway",
    "PINHOLE_PRIVACY_EMAIL": "privacy@pictures.example.org",
    "PINHOLE_PRIVACY_OFFICER": "none, because we are three people and watch nobody",
    "PINHOLE_EU_REPRESENTATIVE": "none, because we are in the European Economic Area",
}


# To standard error, where tests read it.
LOGGED = {"PINHOLE_LOG_DAYS": "14"}


def wait_for(condition, what, limit_s=60):
    """Waits until `condition` gives something true, and returns that."""
    end = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {limit_s} s for {what}"
        time.sleep(0.01)


def environment(**more):
    """What a person's shell would hand over, and nothing of this machine's own settings; `None` is not set."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {name: str(value) for name, value in more.items() if value is not None}


def psql(database, statement):
    """The rows that a statement gives, as tuples of text."""
    command = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--field-separator=\t"]
    done = subprocess.run([*command, "--dbname", database, "--command", statement],
                          capture_output=True, text=True, check=True)
    return [tuple(line.split("\t")) for line in done.stdout.splitlines() if line]


def new_database():
    """The address of an empty Postgres database."""
    name = f"pinhole_api_{uuid.uuid4().hex}"
    psql(POSTGRES, f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    return POSTGRES.rsplit("/", 1)[0] + "/" + name


class Program:
    def __init__(self, folder, binary=BINARY, started_as=("serve",), database=None, before=(), **environment):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.binary = binary
        self.started_as = started_as
        # What watches it, or keeps its time.
        self.before = before
        self.more = environment
        if "PINHOLE_PUBLIC_URL" in environment:
            self.more = CONTROLLER | environment
        self.database = database or (new_database() if POSTGRES else None)
        if self.database:
            self.more["PINHOLE_DATABASE"] = self.database
        self.process = None
        self.url = None
        self.starts = 0

    def spawn(self, **popen):
        """Starts the program without waiting for it."""
        self.starts += 1
        self.ready = self.folder / f"ready-{self.starts}"
        log = open(self.folder / f"log-{self.starts}", "wb")
        variables = {
            "PINHOLE_LISTEN": "127.0.0.1:0",
            "PINHOLE_DATA": self.data,
            "PINHOLE_READY_FILE": self.ready,
        } | LOGGED | self.more
        self.process = subprocess.Popen(
            [*self.before, self.binary, *self.started_as],
            cwd=self.folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **popen,
        )
        log.close()

    def start(self, **popen):
        self.spawn(**popen)

        def address():
            assert self.alive(), f"it ended with {self.process.returncode}:\n{self.log()}"
            written = self.ready.read_text() if self.ready.exists() else ""
            return written.strip() if written.endswith("\n") else None

        self.url = wait_for(address, "the program to be ready", START_S).rstrip("/")
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ended(self):
        """Waits for the program to end by itself and returns its exit code."""
        return self.process.wait(STOP_S)

    def stop(self):
        """Asks it to stop, as a service manager does, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self):
        """Ends it at once, as a power cut does."""
        if self.alive():
            self.process.kill()
            self.process.wait()

    def command(self, *arguments):
        """Runs a command of the program on its data, and returns what it prints."""
        variables = {"PINHOLE_DATA": self.data} | self.more
        done = subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=START_S,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def rows(self, statement):
        """What its database answers, as tuples of text."""
        if self.database:
            return psql(self.database, statement)
        with contextlib.closing(sqlite3.connect(self.data / "pinhole.db")) as opened:
            return [tuple(str(value) for value in row) for row in opened.execute(statement)]

    def log(self):
        return (self.folder / f"log-{self.starts}").read_text(errors="replace")


def run(*arguments, binary=BINARY, cwd, data=None, more=None, timeout=120, **popen):
    """Runs a command of the program to its end."""
    variables = ({} if data is None else {"PINHOLE_DATA": data}) | (more or {})
    return subprocess.run(
        [binary, *arguments],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        **popen,
    )
