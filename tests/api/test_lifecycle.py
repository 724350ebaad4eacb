"""Starting, stopping, dying and coming back."""

import shutil
import socket
import subprocess
import threading

import httpx2
import pytest
from conftest import sdk
from pictures import opened
from program import BINARY, POSTGRES, Program, run, wait_for

PROMPT = "a red apple"
# Long enough to be in the middle of it for a while: many pictures, as many steps as allowed.
LONG = {"prompt": PROMPT, "n": 4, "stream": True, "partial_images": 3}


def most_steps(program):
    """The most steps that the model takes."""
    model = httpx2.get(f"{program.url}/v1/models/pinhole-mini").json()
    return model["capabilities"]["steps"]["max"]


class Drawing:
    """A long drawing that was begun, and of which the first preview has come."""

    def __init__(self, program):
        body = LONG | {"steps": most_steps(program)}
        self.client = httpx2.Client(base_url=program.url, timeout=120)
        request = self.client.build_request("POST", "/v1/images/generations", json=body)
        self.response = self.client.send(request, stream=True)
        assert self.response.status_code == 200
        self.lines = self.response.iter_lines()
        assert any("image_generation.partial_image" in line for line in self.lines)

    def hang_up(self):
        self.response.close()
        self.client.close()


def jobs(program):
    return httpx2.get(f"{program.url}/v1/jobs").json()["data"]


def state(program, job):
    return httpx2.get(f"{program.url}/v1/jobs/{job}").json()["status"]


def pictures(program, job):
    """The pictures of a job, fetched and decoded."""
    found = httpx2.get(f"{program.url}/v1/jobs/{job}").json()["pictures"]
    return [opened(httpx2.get(picture["url"]).content) for picture in found]


def ended(program, job):
    return state(program, job) in ("done", "failed", "cancelled")


def test_a_client_that_hangs_up_cancels_its_job(running):
    drawing = Drawing(running)
    [job] = [job["id"] for job in jobs(running) if job["status"] == "running"]
    drawing.hang_up()
    wait_for(lambda: ended(running, job), "the job to be cancelled")
    assert state(running, job) == "cancelled"


def test_cancelling_one_job_leaves_the_others(running):
    drawing = Drawing(running)
    [doomed] = [job["id"] for job in jobs(running) if job["status"] == "running"]
    answers = []
    other = threading.Thread(target=lambda: answers.append(sdk(running).images.generate(prompt="a cat")))
    other.start()
    cancelled = httpx2.post(f"{running.url}/v1/jobs/{doomed}/cancel")
    assert cancelled.status_code == 200
    other.join()
    assert opened(answers[0].data[0].b64_json).size == (256, 256)
    wait_for(lambda: ended(running, doomed), "the job to be cancelled")
    assert state(running, doomed) == "cancelled"
    drawing.hang_up()


def test_health_and_readiness(running):
    for path in ("/healthz", "/readyz"):
        assert httpx2.get(f"{running.url}{path}").status_code == 200


def test_a_graceful_stop_and_a_start_find_everything(program):
    program.start()
    answer = sdk(program).images.generate(prompt=PROMPT, response_format="url")
    path = answer.data[0].url.removeprefix(program.url)
    picture = httpx2.get(answer.data[0].url).content
    drawing = Drawing(program)
    [job] = [job["id"] for job in jobs(program) if job["status"] == "running"]
    assert program.stop() == 0, program.log()
    drawing.hang_up()

    program.start()
    assert httpx2.get(f"{program.url}{path}").content == picture
    wait_for(lambda: ended(program, job), "the interrupted job", 240)
    assert state(program, job) == "done"
    assert len(pictures(program, job)) == 4


def test_a_job_runs_again_after_a_power_cut(program):
    program.start()
    drawing = Drawing(program)
    [job] = [job["id"] for job in jobs(program) if job["status"] == "running"]
    program.kill()
    drawing.hang_up()

    program.start()
    wait_for(lambda: ended(program, job), "the interrupted job", 240)
    assert state(program, job) == "done"
    assert [picture.size for picture in pictures(program, job)] == [(256, 256)] * 4


def test_promise_use_04_the_log_holds_no_words_of_a_prompt(program):
    canary = "xqzzykplugh"
    program.more["PINHOLE_LOG"] = "trace"
    program.start()
    order = {"prompt": f"a red {canary}", "negative_prompt": canary, "user": canary}
    for more in ({}, {"stream": True, "partial_images": 1}, {"n": 0}, {"negative_prompt": None}):
        httpx2.post(f"{program.url}/v1/images/generations", json=order | more, timeout=120)
    httpx2.post(f"{program.url}/draw", data={"prompt": canary}, headers={"origin": program.url})
    assert program.stop() == 0
    assert len(program.log()) > 1000
    assert canary not in program.log()


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: "])
def test_a_client_that_never_says_what_it_wants_is_let_go(program, said):
    program.more["PINHOLE_HEADER_TIMEOUT_MS"] = 200
    program.start()
    address = program.url.removeprefix("http://").split(":")
    with socket.create_connection(address, timeout=60) as slow:
        slow.sendall(said)
        assert slow.recv(1000) == b"", "closed without a word"
    # Who says it in time is answered, also while a drawing takes longer than that.
    answer = sdk(program).images.generate(prompt=PROMPT)
    assert opened(answer.data[0].b64_json).size == (256, 256)
    drawing = Drawing(program)
    assert program.stop() == 0, program.log()
    assert any("stopping" in line for line in drawing.lines), "the stream is told, not cut off"
    drawing.hang_up()


def test_a_port_in_use(program):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program.more["PINHOLE_LISTEN"] = f"127.0.0.1:{taken.getsockname()[1]}"
        program.spawn()
        assert program.ended() != 0
    assert "PINHOLE_LISTEN" in program.log()
    assert "panicked" not in program.log()


@pytest.mark.parametrize("value", ["nonsense", "127.0.0.1:99999", "127.0.0.1"])
def test_an_address_that_is_none(program, value):
    program.more["PINHOLE_LISTEN"] = value
    program.spawn()
    assert program.ended() != 0
    assert "--listen" in program.log()
    assert value in program.log()
    assert "panicked" not in program.log()


def test_an_address_that_others_can_reach(program):
    program.more["PINHOLE_LISTEN"] = "0.0.0.0:0"
    program.spawn()
    assert program.ended() != 0
    assert "127.0.0.1" in program.log()


def test_a_data_folder_that_cannot_be_written(program):
    (program.folder / "file").write_text("not a folder")
    program.data = program.folder / "file" / "data"
    program.spawn()
    assert program.ended() != 0
    assert "PINHOLE_DATA" in program.log()
    assert str(program.data) in program.log()
    assert "panicked" not in program.log()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 6 MiB, where this machine lets a test make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True).returncode != 0:
        pytest.skip("mounting needs rights that this machine does not give")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_leaves_nothing_half_written(program, small_disk):
    program.data = small_disk / "data"
    program.start()
    sdk(program).images.generate(prompt=PROMPT)
    free = shutil.disk_usage(small_disk).free
    with open(small_disk / "ballast", "wb") as ballast:
        ballast.write(b"\0" * free)
    stored = {file for file in program.data.rglob("*") if file.is_file()}

    answer = httpx2.post(
        f"{program.url}/v1/images/generations", json={"prompt": PROMPT}, timeout=120
    )
    assert answer.status_code in (500, 503, 507), answer.text
    assert "error" in answer.json()
    left = {file for file in program.data.rglob("*") if file.is_file()} - stored
    assert not [file for file in left if not file.name.endswith(("-wal", "-shm", "-journal"))], left

    (small_disk / "ballast").unlink()
    answer = httpx2.post(
        f"{program.url}/v1/images/generations", json={"prompt": PROMPT}, timeout=120
    )
    assert answer.status_code == 200, program.log()
    assert opened(answer.json()["data"][0]["b64_json"]).size == (256, 256)


def test_the_binary_alone_in_an_empty_folder_draws(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    binary = folder / "pinhole"
    shutil.copy(BINARY, binary)
    done = run("draw", "a red apple", "--out", "apple.png", binary=binary, cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    assert opened((folder / "apple.png").read_bytes()).size == (256, 256)


@pytest.mark.skipif(POSTGRES is not None, reason="with Postgres they may")
def test_two_programs_do_not_share_a_data_folder_by_accident(program):
    program.start()
    other = Program(program.folder / "other")
    other.folder.mkdir()
    other.data = program.data
    other.spawn()
    assert other.ended() != 0
    assert "PINHOLE_DATA" in other.log()
    assert httpx2.get(f"{program.url}/healthz").status_code == 200
