"""The keys by which everything of people is sealed: lost, wrong, exchanged, broken off."""

import base64
import contextlib
import secrets
import shutil
import sqlite3
import subprocess
import threading

import httpx2
import pytest
from program import POSTGRES, environment, psql, wait_for

ORDER = {"prompt": "a red apple", "n": 1}


def key_rows(program, statement):
    """What the key store answers, as tuples of text."""
    if program.database:
        return psql(f"{program.database}_keys", statement)
    with contextlib.closing(sqlite3.connect(program.data / "keys" / "keys.db")) as opened:
        return [tuple(str(value) for value in row) for row in opened.execute(statement)]


def change(program, statement):
    """Changes a row behind the program's back."""
    if program.database:
        psql(program.database, statement)
        return
    with contextlib.closing(sqlite3.connect(program.data / "pinhole.db")) as opened:
        opened.execute(statement)
        opened.commit()


def draw(url):
    drawn = httpx2.post(f"{url}/v1/images/generations", json=ORDER, timeout=120)
    assert drawn.status_code == 200, drawn.text
    return drawn.json()["data"][0]["picture_id"]


def seen(url, picture):
    """What a person sees of a picture: its words and its file."""
    told = httpx2.get(f"{url}/v1/pictures/{picture}", timeout=60)
    assert told.status_code == 200, told.text
    file = httpx2.get(f"{url}/v1/pictures/{picture}/content", timeout=60)
    assert file.status_code == 200, file.text
    return told.json()["prompt"], file.content


def fails_to_start(program):
    """Starts the program, which must end by itself before it answers anybody; gives what it says."""
    program.spawn()
    assert program.ended() == 1, program.log()
    assert not program.ready.exists()
    return program.log()


def command(program, *arguments, **more):
    variables = {"PINHOLE_DATA": program.data} | program.more | more
    return subprocess.run([program.binary, *arguments], cwd=program.folder, env=environment(**variables),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def test_promise_sec_02_a_wrong_or_missing_key_keeps_the_port_closed(program):
    program.start()
    picture = draw(program.url)
    before = seen(program.url, picture)
    assert program.stop() == 0
    kek = program.data / "kek"
    assert kek.stat().st_mode & 0o777 == 0o600
    right = kek.read_text()

    kek.unlink()
    assert "Put it back from where you keep its copy" in fails_to_start(program)
    assert not kek.exists(), "none is made where there are keys already"
    wrong = base64.b64encode(secrets.token_bytes(32)).decode()
    kek.write_text(wrong + "\n")
    assert "which is not in" in fails_to_start(program)
    kek.write_text("not a key\n")
    assert "is no key-encryption key" in fails_to_start(program)
    # Several are fine, as long as the right one is among them; and so is the environment.
    kek.write_text(f"{wrong}\n{right}")
    program.start()
    assert seen(program.url, picture) == before
    assert program.stop() == 0
    kek.unlink()
    program.more["PINHOLE_KEK"] = right.splitlines()[-1]
    program.start()
    assert seen(program.url, picture) == before
    assert program.stop() == 0


def test_promise_sec_02_without_its_key_store_the_house_stays_closed(program):
    program.start()
    picture = draw(program.url)
    before = seen(program.url, picture)
    assert program.stop() == 0
    if program.database:
        elsewhere = program.database + "_elsewhere"
        server, name = elsewhere.rsplit("/", 1)
        psql(POSTGRES, f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        program.more["PINHOLE_KEYS_DATABASE"] = f"{server}/{name}"
        assert "the key store is empty" in fails_to_start(program)
        del program.more["PINHOLE_KEYS_DATABASE"]
    else:
        keys = program.data / "keys"
        keys.rename(program.folder / "keys")
        assert "the key store is empty" in fails_to_start(program)
        shutil.rmtree(keys)
        (program.folder / "keys").rename(keys)
    program.start()
    assert seen(program.url, picture) == before
    assert program.stop() == 0


def epochs(program):
    """How many keys each key-encryption key wraps, the oldest first."""
    counts = key_rows(
        program,
        "SELECT (SELECT COUNT(*) FROM person_key WHERE person_key.epoch = epoch.id)"
        " + (SELECT COUNT(*) FROM house_key WHERE house_key.epoch = epoch.id)"
        " FROM epoch ORDER BY ordinal",
    )
    return [int(count) for (count,) in counts]


def test_promise_sec_02_the_key_is_exchanged_while_requests_run(program):
    program.start()
    pictures = [draw(program.url)]
    before = seen(program.url, pictures[0])
    stop, failures = threading.Event(), []

    def ask():
        while not stop.is_set():
            try:
                pictures.append(draw(program.url))
                assert seen(program.url, pictures[0]) == before
            except Exception as error:  # any failure is the test's
                failures.append(error)
                return

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for one in clients:
        one.start()
    wait_for(lambda: len(pictures) > 3, "some requests")
    for _ in range(2):
        said = program.command("keys", "rotate")
        assert "keys are wrapped by" in said
    drawn = len(pictures)
    wait_for(lambda: len(pictures) > drawn + 3 or failures, "requests after it")
    stop.set()
    for one in clients:
        one.join()
    assert not failures, failures
    *former, newest = epochs(program)
    assert former == [0, 0] and newest >= 4
    assert program.stop() == 0
    # The former keys are needed no more.
    kek = program.data / "kek"
    kek.write_text(kek.read_text().splitlines()[-1] + "\n")
    program.start()
    for picture in pictures:
        assert seen(program.url, picture)[0] == ORDER["prompt"]
    assert program.stop() == 0


@pytest.mark.parametrize("point", ["rotation-begun", "rotation-some"])
@pytest.mark.parametrize("again", ["command", "start"])
def test_promise_sec_02_an_exchange_that_was_broken_off_is_ended(program, point, again):
    program.start()
    for n in range(3):
        program.command("admin", "person", "add", "--email", f"somebody-{n}@example.org")
    if again == "start":
        assert program.stop() == 0
    broken = command(program, "keys", "rotate", PINHOLE_FAIL_AT=point)
    assert broken.returncode < 0, broken.stderr
    if point == "rotation-some":
        assert all(count > 0 for count in epochs(program)), "some by the former, some by the new"
    if again == "start":
        program.start()
        if point == "rotation-begun":
            # It was not begun yet: the key lies in the file and wraps nothing.
            program.command("keys", "rotate")
    else:
        said = program.command("keys", "rotate")
        assert ("went on with" in said) == (point == "rotation-some")
    assert len(epochs(program)) == 2 and epochs(program)[0] == 0
    assert len([line for line in (program.data / "kek").read_text().splitlines() if line[0] != "#"]) == 2
    listed = program.command("admin", "person", "list")
    assert all(f"somebody-{n}@example.org" in listed for n in range(3))
    if again == "start":
        assert program.stop() == 0
        program.start()
        key = program.command("admin", "person", "key", "--email", "somebody-0@example.org").split()[0]
        assert httpx2.get(f"{program.url}/v1/me", headers={"authorization": f"Bearer {key}"}).status_code == 200


@pytest.mark.parametrize("point", ["pictures-deleted", "shredding-noted", "shredding-done"])
def test_promise_gen_02_a_crash_while_deleting_leaves_no_key(program, point):
    program.more["PINHOLE_FAIL_AT"] = point
    program.start()
    picture = draw(program.url)
    assert key_rows(program, "SELECT COUNT(*) FROM object_key") == [("1",)]
    with pytest.raises(httpx2.HTTPError):
        httpx2.delete(f"{program.url}/v1/pictures/{picture}", timeout=60)
    program.process.wait(60)
    del program.more["PINHOLE_FAIL_AT"]
    program.start()
    assert key_rows(program, "SELECT COUNT(*) FROM object_key") == [("0",)]
    assert program.rows("SELECT COUNT(*) FROM shredding") == [("0",)]
    assert program.stop() == 0


def test_promise_sec_02_sealing_what_was_there_goes_on_after_a_crash(program):
    program.start()
    pictures = [draw(program.url) for _ in range(3)]
    before = [seen(program.url, picture) for picture in pictures]
    assert program.stop() == 0
    # As a build without keys would have left it.
    change(program, "UPDATE job SET prompt = 'a red apple', unknown_words = '[]'")
    for picture, (_, file) in zip(pictures, before):
        (program.data / "blobs" / "pictures" / f"{picture}.png").write_bytes(file)
    change(program, "DELETE FROM sealing")
    crashes = 0
    for time in range(1, 40):
        program.more["PINHOLE_FAIL_AT"] = f"sealing-noted:{time % 5 + 1}"
        program.spawn()
        wait_for(lambda: not program.alive() or program.ready.exists(), "a crash, or a start", 120)
        if program.alive():
            break
        crashes += 1
    assert crashes > 3, "it was broken off in several places"
    program.url = wait_for(program.ready.read_text, "an address").strip()
    assert [seen(program.url, picture) for picture in pictures] == before
    assert not [row for row in program.rows("SELECT prompt FROM job") if "apple" in row[0]]
    for picture in pictures:
        stored = (program.data / "blobs" / "pictures" / f"{picture}.png").read_bytes()
        assert stored.startswith(b"PHS1")
    assert program.stop() == 0
