"""Backups that are taken while the program serves, and put back: with power cuts at each named point."""

import json
import shutil
import socket

import httpx2
import pytest

from program import Program, run, wait_for
from test_erasure import Person, add, api, receipt, traces
from test_lifecycle import small_disk  # noqa: F401

# As crates/studio/src/failpoint.rs lists them.
TAKING = ["backup-rows-written", "backup-some-files", "backup-unnamed", "backup-named"]
UNCHANGED = ["restore-begun", "restore-some-files", "restore-uncommitted"]
GOES_ON = [
    "restore-committed",
    "restore-anchored",
    "restore-voided",
    "restore-some-people",
    "restore-people-gone",
    "restore-objects-gone",
    "restore-ended",
]


@pytest.fixture
def house(tmp_path):
    program = Program(tmp_path, PINHOLE_LEASE_MS=1000, PINHOLE_ORDERS_PER_MINUTE=60_000)
    program.start()
    add(program, "op@example.org", "--role", "operator")
    yield program
    program.kill()


def shell(house, *arguments, **more):
    return run(*arguments, cwd=house.folder, data=house.data, more=house.more | more)


def backed_up(house, name="house.backup", *more):
    file = house.folder / name
    taken = json.loads(house.command("backup", file, "--json", *more))
    assert taken["bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    return file


def content(house, person, picture):
    with api(house, person.key) as http:
        answer = http.get(f"/v1/pictures/{picture}/content")
        return answer.content if answer.status_code == 200 else None


def gone_since(house):
    """Somebody who goes and somebody of whom a picture goes, after the backup; and its file."""
    anna, bert = Person(house, "anna"), Person(house, "bert")
    file = backed_up(house)
    before = content(house, bert, bert.pictures[1])
    receipt(house, anna.erase(house).json()["receipt_url"])
    with api(house, bert.key) as http:
        assert http.delete(f"/v1/pictures/{bert.pictures[0]}").status_code == 200
    return anna, bert, file, before


def check_put_back(house, anna, bert, before):
    """The house is open: what was kept is there, and what was forgotten is not."""
    with api(house, anna.key) as http:
        assert http.get("/v1/me").status_code == 401
    assert content(house, bert, bert.pictures[1]) == before
    assert content(house, bert, bert.pictures[0]) is None
    open_ones = "SELECT COUNT(*) FROM erasure WHERE ended_ms IS NULL"
    wait_for(lambda: house.rows(open_ones) == [("0",)], "the search for who went again", 60)
    for (signed,) in house.rows("SELECT receipt FROM erasure WHERE asked_by = 'restoration'"):
        assert json.loads(signed)["receipt"]["search"]["found"] == []
    marks = [*anna.marks(), bert.pictures[0]]
    wait_for(lambda: traces(house, marks) == [], "the last trace", 60)
    assert "The books are right" in house.command("admin", "credits", "check")
    said = house.command("audit")
    assert "BROKEN" not in said and "put back from a backup" in said
    page = httpx2.get(f"{house.url}/trust").text
    assert "was put back from a backup" in page


def test_promise_x_07_what_was_deleted_stays_deleted_when_a_backup_is_put_back(house):
    anna, bert, file, before = gone_since(house)
    for mark in [*anna.marks(), anna.id, *bert.marks(), bert.id]:
        assert mark.encode() not in file.read_bytes(), mark
    while_open = shell(house, "restore", file, "--replace")
    assert while_open.returncode == 1
    assert b"another Pinhole" in while_open.stderr or b"somebody is in this house" in while_open.stderr
    house.stop()
    not_empty = shell(house, "restore", file)
    assert not_empty.returncode == 1 and b"--replace" in not_empty.stderr
    said = json.loads(house.command("restore", file, "--replace", "--json"))
    assert said["replayed"]["people"] == 1 and said["replayed"]["pictures"] == 1
    house.start()
    check_put_back(house, anna, bert, before)


@pytest.mark.parametrize("point", TAKING)
def test_a_power_cut_while_a_backup_is_taken_leaves_nothing_half_done(house, point):
    Person(house, "anna")
    file = house.folder / "house.backup"
    cut = shell(house, "backup", file, PINHOLE_FAIL_AT=point)
    assert cut.returncode != 0 and b"no such point" not in cut.stderr
    if point == "backup-named":
        assert file.exists()
        file.unlink()
    assert not file.exists()
    # The next one is whole, and takes what was left behind along.
    backed_up(house)
    assert [one.name for one in house.folder.glob("house.backup*")] == ["house.backup"]
    house.stop()
    house.command("restore", file, "--replace")


@pytest.mark.parametrize("point", UNCHANGED + GOES_ON)
def test_promise_x_07_a_power_cut_while_a_backup_is_put_back(house, point):
    anna, bert, file, before = gone_since(house)
    dora = add(house, "dora@example.org")
    house.stop()
    cut = shell(house, "restore", file, "--replace", PINHOLE_FAIL_AT=point)
    assert cut.returncode != 0 and b"no such point" not in cut.stderr, cut.stderr
    if point in UNCHANGED:
        # The house is as it was: who came after the backup is there.
        house.start()
        with api(house, dora["api_key"]) as http:
            assert http.get("/v1/me").status_code == 200
        assert content(house, bert, bert.pictures[1]) == before
        assert "BROKEN" not in house.command("audit")
        house.stop()
        house.command("restore", file, "--replace")
    house.start()
    check_put_back(house, anna, bert, before)


def test_promise_x_07_the_port_is_closed_until_all_is_gone_again(house):
    anna, bert, file, before = gone_since(house)
    house.stop()
    assert shell(house, "restore", file, "--replace", PINHOLE_FAIL_AT="restore-committed").returncode != 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    house.more["PINHOLE_LISTEN"] = f"127.0.0.1:{port}"
    # Each start gets a little further, and lets nobody in.
    for point in ("restore-anchored", "restore-some-people", "restore-objects-gone"):
        house.more["PINHOLE_FAIL_AT"] = point
        house.spawn()
        while house.alive():
            with socket.socket() as knocking:
                assert knocking.connect_ex(("127.0.0.1", port)) != 0, house.log()
        assert "Pinhole is ready" not in house.log()
    del house.more["PINHOLE_FAIL_AT"]
    house.start()
    check_put_back(house, anna, bert, before)


def test_promise_x_07_a_house_that_burnt_down_comes_back_from_two_files_and_a_key(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    kek = tmp_path / "kek"
    house = Program(folder, PINHOLE_KEK_FILE=kek).start()
    try:
        add(house, "op@example.org", "--role", "operator")
        anna = Person(house, "anna")
        before = content(house, anna, anna.pictures[0])
        keys = backed_up(house, "keys.backup", "--keys")
        file = backed_up(house)
        for mark in [*anna.marks(), anna.id]:
            assert mark.encode() not in keys.read_bytes(), mark
        house.stop()
        shutil.rmtree(house.data)
        other = tmp_path / "two"
        other.mkdir()
        house = Program(other, PINHOLE_KEK_FILE=kek)
        early = shell(house, "restore", file)
        assert early.returncode == 1 and b"there are no keys here" in early.stderr
        house.command("restore", keys)
        again = shell(house, "restore", keys)
        assert again.returncode == 1 and b"has keys already" in again.stderr
        alone = shell(house, "serve")
        assert alone.returncode == 1 and b"nobody is in this house" in alone.stderr
        house.command("restore", file)
        house.start()
        assert content(house, anna, anna.pictures[0]) == before
        assert "BROKEN" not in house.command("audit")
    finally:
        house.kill()


def test_a_backup_that_finds_the_disk_full_says_so_and_leaves_nothing(house, small_disk):
    for name in ("anna", "bert", "carl"):
        Person(house, name)
    free = shutil.disk_usage(small_disk).free
    (small_disk / "ballast").write_bytes(b"\0" * (free - 80_000))
    full = shell(house, "backup", small_disk / "house.backup")
    assert full.returncode == 1 and b"is full" in full.stderr, full.stderr
    assert [one.name for one in small_disk.iterdir()] == ["ballast"]
    with httpx2.Client(base_url=house.url) as http:
        assert http.get("/healthz").status_code == 200


def test_promise_rgt_04_a_receipt_says_until_when_a_copy_can_be_read(house):
    anna, bert = Person(house, "anna"), Person(house, "bert")
    first = json.loads(receipt(house, anna.erase(house).json()["receipt_url"]).text)["receipt"]
    assert first["backups_readable_until"] is None and "can be read in no backup" in first["backups"]
    taken = json.loads(house.command("backup", house.folder / "keys", "--keys", "--days", "3", "--json"))
    second = json.loads(receipt(house, bert.erase(house).json()["receipt_url"]).text)["receipt"]
    assert second["backups_readable_until"] == taken["ends"]
    assert "is taken until" in second["backups"]
