"""Two processes on one Postgres database: one takes orders, another draws."""

import json
import threading

import httpx2
import pytest
from pictures import opened
from program import POSTGRES, Program, wait_for

pytestmark = pytest.mark.skipif(not POSTGRES, reason="several processes need Postgres")
LONG = {"prompt": "a red apple", "n": 4, "stream": True, "partial_images": 2}


@pytest.fixture
def front(tmp_path):
    folder = tmp_path / "front"
    folder.mkdir()
    program = Program(folder, started_as=("serve", "--no-drawing"), PINHOLE_LEASE_MS=2000)
    program.data = tmp_path / "data"
    program.start()
    yield program
    program.kill()


@pytest.fixture
def worker(front, tmp_path):
    """Makes processes that draw for `front`."""
    made = []

    def make():
        folder = tmp_path / f"worker-{len(made)}"
        folder.mkdir()
        program = Program(folder, started_as=("work",), database=front.database, PINHOLE_LEASE_MS=2000)
        program.data = front.data
        made.append(program)
        return program.start()

    yield make
    for program in made:
        program.kill()


def events(lines):
    name = None
    for line in lines:
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            yield name, json.loads(line.removeprefix("data:"))


def most_steps(program):
    model = httpx2.get(f"{program.url}/v1/models/pinhole-mini").json()
    return model["capabilities"]["steps"]["max"]


def state(program, job):
    return httpx2.get(f"{program.url}/v1/jobs/{job}").json()["status"]


def test_what_one_process_draws_another_shows_live(front, worker):
    body = LONG | {"n": 1, "steps": most_steps(front)}
    worker()
    with httpx2.stream("POST", f"{front.url}/v1/images/generations", json=body, timeout=120) as answer:
        seen = list(events(answer.iter_lines()))
    names = [name for name, _ in seen]
    assert names[-1] == "image_generation.completed"
    assert "image_generation.partial_image" in names
    assert opened(seen[-1][1]["b64_json"]).size == (256, 256)
    for name, event in seen[:-1]:
        assert opened(event["b64_json"]).size[0] > 0, name


def test_following_and_cancelling_reach_the_process_that_draws(front, worker):
    worker()
    order = {"prompt": "a cat", "n": 10, "steps": most_steps(front)}
    headers = {"prefer": "respond-async"}
    job = httpx2.post(f"{front.url}/v1/images/generations", json=order, headers=headers).json()["id"]
    with httpx2.stream("GET", f"{front.url}/v1/jobs/{job}/events", timeout=120) as answer:
        for name, event in events(answer.iter_lines()):
            if name == "progress" and event["progress"] > 0:
                break
            assert name != "end", event
    assert httpx2.post(f"{front.url}/v1/jobs/{job}/cancel").json()["status"] == "cancelled"
    # The drawing stopped: another order is drawn long before ten pictures would have been.
    answer = httpx2.post(f"{front.url}/v1/images/generations", json={"prompt": "a dog", "steps": 2}, timeout=120)
    assert answer.status_code == 200
    assert state(front, job) == "cancelled"
    assert not httpx2.get(f"{front.url}/v1/jobs/{job}").json()["pictures"]


def test_another_process_takes_up_what_a_dead_one_left(front, worker):
    first = worker()
    order = {"prompt": "a house", "n": 2, "steps": most_steps(front)}
    headers = {"prefer": "respond-async"}
    job = httpx2.post(f"{front.url}/v1/images/generations", json=order, headers=headers).json()["id"]
    wait_for(lambda: state(front, job) == "running", "the drawing to begin")
    first.kill()
    worker()
    wait_for(lambda: state(front, job) == "done", "the other process to draw it", 240)
    found = httpx2.get(f"{front.url}/v1/jobs/{job}").json()
    assert [opened(httpx2.get(picture["url"]).content).size for picture in found["pictures"]] == [(256, 256)] * 2
    assert front.rows(f"SELECT attempts FROM job WHERE id = '{job}'") == [("2",)]


def test_several_workers_draw_each_job_once(front, worker):
    worker()
    worker()
    jobs, lock = [], threading.Lock()

    def order(n):
        body = {"prompt": f"a tree {n}", "steps": 2}
        answer = httpx2.post(f"{front.url}/v1/images/generations", json=body, timeout=240)
        assert answer.status_code == 200, answer.text
        with lock:
            jobs.append(answer.json()["job_id"])

    clients = [threading.Thread(target=order, args=(n,)) for n in range(12)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(set(jobs)) == 12
    assert front.rows("SELECT COUNT(*), MAX(attempts), MAX(claims) FROM job") == [("12", "1", "1")]
    assert front.rows("SELECT COUNT(*) FROM picture") == [("12",)]


def test_work_needs_a_shared_database(tmp_path):
    alone = Program(tmp_path, started_as=("work",))
    del alone.more["PINHOLE_DATABASE"]
    alone.spawn()
    assert alone.ended() != 0
    assert "PINHOLE_DATABASE" in alone.log()
