"""The log of what is done to people's data, and the audit, from the shell and through power cuts."""

import subprocess

import httpx2
import pytest
from program import environment


def audit(program, *arguments):
    """How an audit ends, and what it says."""
    variables = {"PINHOLE_DATA": program.data} | program.more
    done = subprocess.run([program.binary, "audit", *arguments], cwd=program.folder, env=environment(**variables),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("point", ["log-uncommitted", "log-committed"])
def test_promise_x_08_a_power_cut_leaves_the_log_whole(program, point):
    program.start()
    program.command("admin", "person", "add", "--email", "anna@example.org", "--credits", "5")
    assert program.stop() == 0
    # Whoever gives credits has looked whose they are, and that is told as well.
    told = "SELECT kind, COUNT(*) FROM log_entry WHERE person_id IS NOT NULL GROUP BY kind ORDER BY kind"
    before = dict(program.rows(told))
    program.more["PINHOLE_FAIL_AT"] = point
    program.command("admin", "credits", "grant", "--email", "anna@example.org", "--credits", "7", "--reason", "more")
    program.spawn()
    assert program.ended() < 0, "it was to be cut off"
    del program.more["PINHOLE_FAIL_AT"]
    program.start()
    code, said = audit(program)
    assert code == 0, said
    after = dict(program.rows(told))
    assert after.keys() == before.keys() | {"looked_at"}, after
    assert int(after["credits_given"]) == int(before["credits_given"]) + 1
    assert int(after["looked_at"]) == int(before.get("looked_at", 0)) + 1
    assert program.rows("SELECT COUNT(*) FROM log_entry WHERE position IS NULL") == [("0",)]
    assert program.stop() == 0


def test_promise_sec_05_an_audit_from_the_shell_fails_where_something_is_broken(program, tmp_path):
    program.start()
    assert audit(program)[0] == 0
    kept = tmp_path / "checkpoint"
    kept.write_text(httpx2.get(f"{program.url}/trust/checkpoint").text)
    assert audit(program, "--checkpoint", str(kept))[0] == 0
    kek = program.data / "kek"
    kek.chmod(0o644)
    code, said = audit(program)
    assert code == 1 and "BROKEN" in said and "chmod 600" in said, said
    assert not httpx2.get(f"{program.url}/trust/report.json").json()["report"]["holds"]
    kek.chmod(0o600)
    forged = tmp_path / "forged"
    forged.write_text(kept.read_text().replace("\n1\n", "\n2\n", 1))
    assert forged.read_text() != kept.read_text()
    for file, says in [(forged, "changed after it was signed"), (tmp_path / "nothing", "can't be read")]:
        code, said = audit(program, "--checkpoint", str(file))
        assert code == 1 and says in said, said
    assert audit(program)[0] == 0
    assert program.stop() == 0
