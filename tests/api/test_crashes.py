"""Power cuts in the middle of everything: nothing is lost, nothing happens twice.

PINHOLE_TEST_CRASHES says how many there are at random moments; besides, there is one at each named
point of the program."""

import json
import os
import random
import threading
import time

import httpx2
import pytest
from program import Program, wait_for

CRASHES = int(os.environ.get("PINHOLE_TEST_CRASHES", "8"))
# As crates/studio/src/failpoint.rs lists them: a name that is not there ends the program at once.
POINTS = [
    "enqueue-uncommitted",
    "enqueue-committed",
    "claim-uncommitted",
    "claim-committed",
    "picture-stored",
    "finish-uncommitted",
    "finish-committed",
    "cancel-uncommitted",
    "cancel-committed",
]
CLIENTS = 4
# Of each client, between two cuts.
ORDERS = 3
STEPS = 2


def client(program):
    return httpx2.Client(base_url=program.url, timeout=120, headers=program.key)


class Load:
    """Clients that order, cancel and come again, and remember what they were promised."""

    def __init__(self):
        # By prompt: the key of the order, and the job that was promised, once one was.
        self.orders = {}
        self.lock = threading.Lock()
        self.cancelled = set()

    def run(self, program, seed):
        """Orders until the program is gone."""
        clients = [threading.Thread(target=self.ask, args=(program, seed, n)) for n in range(CLIENTS)]
        for one in clients:
            one.start()
        return clients

    def ask(self, program, seed, number):
        chance = random.Random(f"{seed} {number}")
        with client(program) as http:
            try:
                # No more than can be drawn in the end.
                for n in range(ORDERS):
                    prompt = f"a red apple {seed} {number} {n}"
                    self.order(http, prompt, f"key {prompt}", chance.randint(1, 2))
                    if n == 0 or chance.random() < 0.2:
                        job = self.orders[prompt][1]
                        http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
                        self.cancelled.add(job)
                while True:
                    http.get("/healthz")
                    time.sleep(0.05)
            except httpx2.TransportError:
                return

    def order(self, http, prompt, key, count):
        with self.lock:
            known = self.orders.setdefault(prompt, (key, None, count))
        body = {"prompt": prompt, "n": known[2], "steps": STEPS, "seed": 1}
        headers = {"prefer": "respond-async", "idempotency-key": key}
        answer = http.post("/v1/images/generations", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        job = answer.json()["id"]
        with self.lock:
            # What was promised once stays so.
            assert known[1] in (None, job)
            self.orders[prompt] = (key, job, count if known[1] is None else known[2])

    def come_again(self, program):
        """Sends every order again, as a client does that got no answer."""
        with client(program) as http:
            for prompt, (key, _, count) in list(self.orders.items()):
                self.order(http, prompt, key, count)


def jobs(program):
    found, after = [], ""
    with client(program) as http:
        while True:
            page = http.get(f"/v1/jobs?limit=100{after}").json()
            found += page["data"]
            if not page["has_more"]:
                return found
            after = f"&after={found[-1]['id']}"


def check(program, load):
    """After everything: all orders are over, each once, and only their files are there."""
    load.come_again(program)
    wait_for(
        lambda: not [job for job in jobs(program) if job["status"] in ("queued", "running")],
        "every job to be over",
        600,
    )
    found = {job["id"]: job for job in jobs(program)}
    prompts = [job["prompt"] for job in found.values()]
    assert sorted(prompts) == sorted(load.orders), "each order is there, once"
    for prompt, (_, job, count) in load.orders.items():
        job = found[job]
        assert job["prompt"] == prompt
        if job["status"] == "done":
            assert len(job["pictures"]) == count
        elif job["status"] == "failed":
            # Three cuts in one job: it was given up, and says so.
            assert job["error"]["code"] == "interrupted"
            assert program.rows(f"SELECT attempts FROM job WHERE id = '{job['id']}'") == [("3",)]
        else:
            # Cancelled, perhaps by a request whose answer was cut off.
            assert job["status"] == "cancelled"
    for job in load.cancelled:
        assert found[job]["status"] in ("cancelled", "done", "failed")
    listed = {f"{row[0].split('/')[-1]}" for row in program.rows("SELECT blob FROM picture")}
    assert len(listed) == sum(len(job["pictures"]) for job in found.values())
    check_books(program, found)
    return listed


def check_books(program, found):
    """Whoever is metered was charged for what arrived, and for nothing else."""
    [(loose,)] = program.rows("SELECT COUNT(*) FROM hold WHERE settled_ms IS NULL")
    assert loose == "0"
    [(sum_of_all,)] = program.rows(
        "SELECT COALESCE(SUM(available + held + issued + revenue + expired), 0) FROM entry"
    )
    assert sum_of_all == "0"
    holds = program.rows("SELECT job_id, price, charged FROM hold")
    assert sorted(job for job, *_ in holds) == sorted(found), "each job was paid for once"
    for job, price, charged in holds:
        assert int(charged) == int(price) * len(found[job]["pictures"])
    spent = sum(int(charged) for *_, charged in holds)
    [(available, held)] = program.rows("SELECT available, held FROM balance")
    [(granted,)] = program.rows("SELECT SUM(credits) FROM credit_grant")
    assert (int(available), int(held)) == (int(granted) - spent, 0)


def files(program):
    return {file.name for file in (program.data / "blobs").rglob("*") if file.is_file()}


def restarted(program, load):
    """Starts once more; what no row knows is swept before the port answers."""
    program.more.pop("PINHOLE_FAIL_AT", None)
    program.start()
    return check(program, load)


@pytest.fixture
def house(tmp_path):
    program = Program(
        tmp_path,
        PINHOLE_LEASE_MS=1000,
        PINHOLE_MAX_WAITING_EACH=100_000,
        PINHOLE_MAX_WAITING=100_000,
        PINHOLE_ORDERS_PER_MINUTE=60_000,
    )
    added = program.command(
        *("admin", "person", "add", "--email", "load@example.org"),
        *("--credits", "10000000", "--key", "--json"),
    )
    program.key = {"authorization": f"Bearer {json.loads(added)['api_key']}"}
    yield program
    program.kill()


@pytest.mark.timeout(3600)
def test_power_cuts_at_random_moments(house):
    load = Load()
    chance = random.Random(20260101)
    for cut in range(CRASHES):
        house.start()
        clients = load.run(house, cut)
        time.sleep(chance.uniform(0, 1.5))
        house.kill()
        for one in clients:
            one.join()
    listed = restarted(house, load)
    house.stop()
    house.start()
    assert files_of(house) == listed


def test_what_a_power_cut_left_half_written_is_gone_at_the_next_start(house):
    house.start()
    order = {"prompt": "a red apple", "steps": STEPS}
    with client(house) as http:
        assert http.post("/v1/images/generations", json=order).status_code == 200
    house.kill()
    [whole] = files(house)
    half = house.data / "blobs/pictures/pic_01JCGZZZZZZZZZZZZZZZZZZZZZ.png#1"
    half.write_bytes(b"half of a picture")
    house.start()
    assert files(house) == {whole}


@pytest.mark.parametrize("point", POINTS)
def test_a_power_cut_at_a_named_point(house, point):
    load = Load()
    # What is drawn together is recorded together, so some points are passed seldom.
    for time_passed in (1, 2):
        house.more["PINHOLE_FAIL_AT"] = f"{point}:{time_passed}"
        house.start()
        clients = load.run(house, f"{point} {time_passed}")
        try:
            house.process.wait(60)
        finally:
            house.kill()
            for one in clients:
                one.join()
        assert "no such point" not in house.log()
    listed = restarted(house, load)
    house.stop()
    house.start()
    assert files_of(house) == listed


def files_of(program):
    """The files on the disk. Where the database is shared, files without a row stay for a while,
    since another process could be about to write it."""
    there = files(program)
    if program.database:
        return {name for name in there if program.rows(f"SELECT 1 FROM picture WHERE blob = 'pictures/{name}'")}
    return there


def resident_kib(program):
    with open(f"/proc/{program.process.pid}/status") as status:
        [line] = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1])


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads Linux' own figures")
def test_a_thousand_aborted_streams_leave_nothing_behind(house):
    house.start()
    body = {"prompt": "a red apple", "stream": True, "partial_images": 3, "n": 2}

    def abort(times):
        with client(house) as http:
            for _ in range(times):
                with http.stream("POST", "/v1/images/generations", json=body) as answer:
                    assert answer.status_code == 200, answer.read()

    def abort_all(times):
        threads = [threading.Thread(target=abort, args=(times // 10,)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(lambda: open_jobs() == 0, "every aborted job to be cancelled", 120)

    def open_jobs():
        [(count,)] = house.rows("SELECT COUNT(*) FROM job WHERE state IN ('queued', 'drawing')")
        return int(count)

    # So many that every pool of memory is filled.
    abort_all(1000)
    before, growth = resident_kib(house), []
    # Pools may still grow once; what each stream leaves behind would grow every time.
    for _ in range(3):
        abort_all(1000)
        after = resident_kib(house)
        print(f"resident before {before} KiB, after {after} KiB")
        growth.append(after / before)
        before = after
        if growth[-1] < 1.1:
            break
    assert min(growth) < 1.1, growth

    # No engine work is left: a picture comes as fast as it takes to draw one.
    with client(house) as http:
        assert http.post("/v1/images/generations", json={"prompt": "a red apple"}).status_code == 200
