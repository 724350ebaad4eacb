"""What authorities ask for, as the shell enters and hands it out: nothing that nobody agreed to at the desk."""

import json
import re

import httpx2

from program import Program, run
from test_accounts import FORM

ANNA = "anna@example.org"
PASSWORD = "three green apples"


def test_promise_leg_01_the_shell_enters_and_hands_out_what_two_people_agreed_to_at_the_desk(tmp_path):
    program = Program(tmp_path).start()
    try:
        welcome = re.search(r"make the first account: (\S+)", program.log())[1]
        program.command("admin", "person", "add", "--email", ANNA)
        added = program.command(
            "admin", "disclosure", "add", "--email", ANNA, "--authority", "LKA Hamburg", "--law", "§ 100j StPO",
            "--reference", "345 Js 12/26", "--field", "account.address",
        ).strip()
        assert added.startswith("dsc_"), added
        [listed] = [json.loads(line) for line in program.command("admin", "disclosure", "list", "--json").splitlines()]
        assert (listed["id"], listed["state"], listed["path"]) == (added, "received", "order")
        secret = run(
            "admin", "disclosure", "add", "--email", ANNA, "--authority", "LKA Hamburg", "--law", "§ 100j StPO",
            "--reference", "345 Js 12/26", "--field", "account.password_hash", cwd=program.folder, data=program.data, more=program.more,
        )
        assert secret.returncode == 1 and b"never handed out" in secret.stderr, secret.stderr
        file = program.folder / "package.json"

        def package():
            return run("admin", "disclosure", "package", added, str(file), cwd=program.folder, data=program.data, more=program.more)

        early = package()
        assert early.returncode == 1 and b"not approved" in early.stderr, early.stderr
        assert not file.exists()
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as operator:
            form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
            assert operator.post(welcome, data=form).status_code == 303
            duty = {"for": "disclosure", "reason": "An order of a court came.", "minutes": "30"}
            assert operator.post("/desk/duties", data=duty).status_code == 303
            agreed = operator.post(f"/desk/disclosures/{added}", data={"do": "approve"})
            assert agreed.status_code == 303, agreed.text
        assert package().returncode == 1, "one is not enough"
        danger = "somebody is missing and may be in danger"
        urgent = program.command(
            "admin", "disclosure", "add", "--email", ANNA, "--authority", "LKA Hamburg", "--law", "§ 34 StGB",
            "--reference", "346 Js 1/26", "--field", "account.address", "--emergency", danger,
        ).strip()
        with httpx2.Client(base_url=program.url, headers=FORM, timeout=120) as operator:
            form = {"address": "op@example.org", "password": PASSWORD}
            assert operator.post("/sign-in", data=form).status_code == 303
            assert operator.post(f"/desk/disclosures/{urgent}", data={"do": "approve"}).status_code == 303
        added = urgent
        done = package()
        assert done.returncode == 0, done.stderr
        assert file.stat().st_mode & 0o077 == 0
        packed = json.loads(file.read_text())["package"]
        assert packed["tables"][0]["rows"] == [{"address": ANNA}]
        assert package().returncode == 1, "nothing is written over"
        assert program.command("admin", "breach", "list").strip() == ""
    finally:
        program.kill()
