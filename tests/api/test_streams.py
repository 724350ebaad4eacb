"""More clients than a server can hold: each is answered or told to come back, and the server lives.

PINHOLE_TEST_STREAMS says how many there are."""

import asyncio
import os
import resource

import httpx2
import pytest
from test_crashes import resident_kib

from program import Program, wait_for

STREAMS = int(os.environ.get("PINHOLE_TEST_STREAMS", "800"))
BODY = b'{"prompt": "a red apple", "stream": true, "partial_images": 1}'
REQUEST = (
    b"POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
# Those that are not answered yet: of a larger flood the kernel itself resets some, before the program
# sees them.
KNOCKING = 2000
# For one connection to be made and its answer to begin, where all come at once.
ANSWER_S = 240


async def ask(address, knocking, everybody_asked):
    """The status and head of the answer to one stream, which stays open until all are answered."""
    host, port = address
    async with knocking:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), ANSWER_S)
        writer.write(REQUEST)
        await writer.drain()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWER_S)
    try:
        return head.decode().lower()
    finally:
        everybody_asked.release()
        await everybody_asked.wait()
        writer.close()


class Everybody:
    """Lets all go once each of them was answered."""

    def __init__(self, count):
        self.left = count
        self.all = asyncio.Event()

    def release(self):
        self.left -= 1
        if self.left == 0:
            self.all.set()

    async def wait(self):
        await self.all.wait()


async def ask_all(address):
    everybody, knocking = Everybody(STREAMS), asyncio.Semaphore(KNOCKING)
    return await asyncio.gather(*(ask(address, knocking, everybody) for _ in range(STREAMS)))


@pytest.mark.timeout(900)
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux' own figures")
def test_more_streams_than_there_are_places_are_told_to_come_back(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < STREAMS + 200:
        pytest.skip(f"this system lets a process have {hard} files open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, STREAMS + 200), hard))
    # As few files as most systems allow.
    program = Program(tmp_path)
    program.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard)))
    try:
        with httpx2.Client(base_url=program.url, timeout=120) as http:
            assert http.post("/v1/images/generations", json={"prompt": "a red apple"}).status_code == 200
        before = resident_kib(program)
        host, port = program.url.removeprefix("http://").rsplit(":", 1)
        heads = asyncio.run(ask_all((host, int(port))))
        statuses = [head.split(" ")[1] for head in heads]
        told = {status: statuses.count(status) for status in set(statuses)}
        print(f"{told}, resident before {before} KiB, after {resident_kib(program)} KiB")
        assert set(told) <= {"200", "429", "503"}, told
        assert told["503"] > 0 and told["200"] > 0, told
        assert all("retry-after" in head for head in heads if " 200 " not in head)
        # A place takes a bounded amount, however many ask.
        assert resident_kib(program) < before + 512 * 256
        with httpx2.Client(base_url=program.url, timeout=120) as http:
            wait_for(lambda: http.get("/healthz").status_code == 200, "the server to answer")
            open_jobs = "SELECT COUNT(*) FROM job WHERE state IN ('queued', 'drawing')"
            wait_for(lambda: program.rows(open_jobs) == [("0",)], "every job to end", 120)
            assert http.post("/v1/images/generations", json={"prompt": "a red apple"}).status_code == 200
        assert "panicked" not in program.log()
    finally:
        assert program.stop() == 0, program.log()
