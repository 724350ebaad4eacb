"""A house that somebody else takes over: what they see before, and what goes with it."""

import json
import time

from program import Program, run
from test_retention import moved

DAY_MS = 24 * 60 * 60 * 1000
PEOPLE = 12


def shell(program, *arguments):
    return run(*arguments, cwd=program.folder, data=program.data, more=program.more)


def accounts(path):
    told = json.loads(path.read_text())
    [measure] = [one for one in told["counts"] if one["what"] == "accounts"]
    return measure


def test_promise_leg_03_bidders_get_a_file_in_which_nobody_is(tmp_path):
    program = Program(tmp_path).start()
    try:
        people = []
        for number in range(PEOPLE):
            made = program.command("admin", "person", "add", "--email", f"person{number}@example.org", "--json")
            people.append(json.loads(made)["person_id"])
        out = tmp_path / "today"
        program.command("privacy", "aggregates", "--out", str(out))
        # The month is not over.
        assert accounts(out)["months_with_few_together"] is None
        assert all(isinstance(month["told"], str) for month in accounts(out)["months"])
        assert program.stop() == 0
        program.more |= moved(40 * DAY_MS)
        later = tmp_path / "later"
        program.command("privacy", "aggregates", "--out", str(later))
        # The only month with people hides the empty ones, in tens.
        together = accounts(later)["months_with_few_together"]
        assert (together["people"], together["times"]) == (10, 10)
        text = later.read_text()
        for telling in [*people, "person1@", "example.org"]:
            assert telling not in text
        again = shell(program, "privacy", "aggregates", "--out", str(later))
        assert again.returncode == 1 and b"can't be written" in again.stderr
        assert later.read_text() == text
    finally:
        program.kill()


def test_promise_leg_03_a_transfer_waits_until_everybody_had_30_days(tmp_path):
    program = Program(tmp_path, PINHOLE_PUBLIC_URL="https://pictures.example.org").start()
    try:
        program.command("admin", "person", "add", "--email", "anna@example.org", "--json")
        assert program.stop() == 0
        manifest = tmp_path / "manifest.json"
        arguments = ["privacy", "transfer", "complete", "--reason", "merger", "--out", str(manifest)]
        refused = shell(program, *arguments)
        assert refused.returncode == 1 and b"gives this house to somebody else" in refused.stderr, refused.stderr
        assert "goes to nobody else" in program.command("privacy", "transfer", "show")
        before = program.more.get("PINHOLE_CONTROLLER")
        program.more["PINHOLE_CONTROLLER"] = "Other Pictures Ltd"
        program.command("privacy", "publish")
        refused = shell(program, *arguments)
        assert refused.returncode == 1 and b"1 with an account were not told of version 2" in refused.stderr, refused.stderr
        # The house of before goes on, and tells.
        program.more["PINHOLE_CONTROLLER"] = before or "Example Pictures Ltd"
        program.start()
        deadline = time.monotonic() + 60
        while program.rows("SELECT COUNT(*) FROM policy_notice") != [("1",)]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert program.stop() == 0
        refused = shell(program, *arguments)
        assert refused.returncode == 1 and b"can be completed from" in refused.stderr, refused.stderr
        program.more |= moved(29 * DAY_MS)
        assert shell(program, *arguments).returncode == 1 and not manifest.exists()
        program.more |= moved(31 * DAY_MS)
        program.more["PINHOLE_CONTROLLER"] = "Other Pictures Ltd"
        shown = program.command("privacy", "transfer", "show")
        assert "to Other Pictures Ltd, by version 2" in shown and "not told yet: 0" in shown
        # Cut off while it is written into people's logs, it goes on, and writes it to nobody twice.
        entries = "SELECT COUNT(*) FROM log_entry WHERE kind = 'handed_over' AND person_id IS NOT NULL"
        for point, written in [("handed-over-uncommitted:1", "0"), ("handed-over-committed:1", "1")]:
            program.more["PINHOLE_FAIL_AT"] = point
            assert shell(program, *arguments).returncode != 0 and not manifest.exists()
            assert program.rows(entries) == [(written,)]
        del program.more["PINHOLE_FAIL_AT"]
        program.command(*arguments)
        assert program.rows(entries) == [("1",)]
        checked = shell(program, "verify", "receipt", str(manifest))
        assert checked.returncode == 0 and b"to Other Pictures Ltd (merger), as version 2" in checked.stdout, checked.stderr
        text = manifest.read_text()
        assert "anna@" not in text
        again = shell(program, *arguments)
        assert again.returncode == 1 and b"can't be written" in again.stderr
        manifest.write_text(text.replace("Other Pictures", "Third Pictures"))
        forged = shell(program, "verify", "receipt", str(manifest))
        assert forged.returncode != 0 and b"changed after it was signed" in forged.stderr
    finally:
        program.kill()
