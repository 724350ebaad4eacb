"""Who looked: each command that shows somebody is a leaf in their log, which they take along."""

import io
import json
import zipfile

import httpx2
import pytest

from program import Program, run


def add(program, address, *more):
    arguments = ("--key", "--json", *more)
    return json.loads(program.command("admin", "person", "add", "--email", address, *arguments))


@pytest.fixture
def house(tmp_path):
    program = Program(tmp_path).start()
    add(program, "op@example.org", "--role", "operator")
    yield program
    program.kill()


SCOPES = ("--scopes", "account:read account:write account:export")


def looks(house, person):
    """What the log in an archive says of looks, the first first."""
    with httpx2.Client(
        base_url=house.url, headers={"authorization": f"Bearer {person['api_key']}"}, timeout=120
    ) as http:
        made = http.post("/v1/me/export").json()
        archive = http.get(f"/v1/me/export/{made['id']}/content").content
    log = json.loads(zipfile.ZipFile(io.BytesIO(archive)).read("log.json"))
    of_kind = [entry for entry in log["entries"] if entry["kind"] == "looked_at"]
    return [json.loads(entry["payload"])["what"] for entry in of_kind]


def test_promise_sec_04_each_command_that_shows_somebody_stands_in_their_log(house, tmp_path):
    anna, bert = add(house, "anna@example.org", *SCOPES), add(house, "bert@example.org", *SCOPES)
    assert looks(house, anna) == looks(house, bert) == []
    asked = json.loads(house.command(
        *("admin", "request", "add", "--email", "anna@example.org", "--text", "What do you keep?", "--json")
    ))
    hold = ("admin", "hold", "add", "--email", "anna@example.org", "--class", "orders",
            "--reason", "a lawsuit", "--approver", "the privacy officer", "--until", "2027-10-31")
    if run(*hold, cwd=house.folder, data=house.data, more=house.more).returncode == 0:
        pytest.fail("a hold without a law was laid")
    unsaid = run(*hold, "--law", "somebody asked", cwd=house.folder, data=house.data, more=house.more)
    assert unsaid.returncode == 1 and b"names what obliges" in unsaid.stderr
    house.command(*hold, "--law", "LG Köln, 12 O 345/26")
    house.command("admin", "person", "list")
    house.command("admin", "request", "list")
    assert "What do you keep?" in house.command("admin", "request", "show", asked["request"])
    assert "LG Köln" in house.command("admin", "hold", "list")
    house.command("admin", "credits", "grant", "--email", "bert@example.org", "--credits", "7",
                  "--reason", "a gift")
    archive = tmp_path / "anna.zip"
    house.command("admin", "person", "export", "--email", "anna@example.org", "--to", str(archive))

    found = looks(house, anna)
    assert [list(look["data"]) for look in found] == [
        ["rights"], ["account", "fairness"], ["rights"], ["rights"], ["law"], ["access"],
    ]
    assert all((look["role"], look["by"], look["reader"]) == ("operator", "shell", None) for look in found)
    assert found[1]["data"]["account"] == [
        "account.address", "account.created_ms", "person.id", "person.role",
    ]
    assert "request.words" not in found[2]["data"]["rights"]
    assert "request.words" in found[3]["data"]["rights"]
    assert [list(look["data"]) for look in looks(house, bert)] == [["account", "fairness"], ["credits"]]
    # And a key that somebody else made for them, with which all of it can be read.
    with zipfile.ZipFile(archive) as taken:
        kinds = [entry["kind"] for entry in json.loads(taken.read("log.json"))["entries"]]
    assert kinds.count("key_made") == 1
