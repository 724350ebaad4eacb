"""A house that somebody else takes over: what they see before, and what goes with it."""

import json

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
