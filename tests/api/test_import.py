"""An archive of one house brought into another: what comes out of that is the same again, but for what is
declared. Broken off, it goes on; a second time, it changes nothing; and what is no sound archive changes
nothing either."""

import base64
import csv
import hashlib
import html
import io
import json
import random
import zipfile

import httpx2
import pytest
import rdflib
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from program import Program, run
from test_export import PROMPTS, SCOPES, add, api, house, rows, taken  # noqa: F401
from walker import Walker

# What another house can't or must not take over, as `pinhole import` says it.
LEFT = {
    "session", "device", "attack", "passkey", "totp", "recovery_code", "api_key", "proof", "letter", "repeat",
    "balance", "entry", "credit_grant", "hold", "hold_part", "key_spending", "log_entry", "erasure",
    "erasure_mark", "export", "export_part", "restriction", "request", "objection", "duty", "legal_hold",
    "disclosure", "breach_person", "invoice", "organisation", "organisation_member", "organisation_invitation",
    "consent", "preference", "news_letter", "policy_notice", "terms_notice", "terms_acceptance", "ticket", "ticket_message", "ticket_file",
}
# Columns that are this house's own.
OWN = {
    "person": {"created_ms", "turn", "tier", "paced_until_ms", "role", "erasure_id"},
    "account": {"address_key", "username_key", "portrait", "created_ms", "active_ms", "warned", "warned_ms"},
}


@pytest.fixture
def other(tmp_path):
    program = Program(tmp_path / "other", PINHOLE_ORDERS_PER_MINUTE=60_000)
    program.folder.mkdir()
    program.start()
    add(program, "op@example.org", "--role", "operator")
    yield program
    program.kill()


def inhabited(house, address="anna@example.org"):
    """Somebody with orders of every end, a favourite and a deleted picture."""
    person = add(house, address, *SCOPES)
    with api(house, person["api_key"]) as http:
        for prompt in PROMPTS:
            body = {"prompt": prompt, "steps": 1, "size": "256x256", "n": 2, "seed": 7}
            drawn = http.post("/v1/images/generations", json=body).json()["data"]
        varied = {"variation_of": drawn[0]["picture_id"], "steps": 1}
        assert http.post("/v1/images/generations", json=varied).status_code == 200
        assert http.patch(f"/v1/pictures/{drawn[0]['picture_id']}", json={"favourite": True}).status_code == 200
        assert http.delete(f"/v1/pictures/{drawn[1]['picture_id']}").status_code == 200
    return person


def public_key(program):
    return httpx2.get(f"{program.url}/.well-known/pinhole-house.json").json()["signs_with"]["public_key"]


def brought(program, file, *more, into="new", trust=None):
    arguments = ["import", str(file), "--into", into, *more]
    if trust:
        arguments += ["--trust", trust]
    return run(*arguments, cwd=program.folder, data=program.data, more=program.more)


def archive_of(program, address, folder):
    file = folder / f"{random.randrange(10**9)}.zip"
    program.command("admin", "person", "export", "--email", address, "--to", str(file))
    return file


def same(first, second):
    """Compares two archives file by file, and gives the names of tables that were compared."""
    compared = set()
    first, second = zipfile.ZipFile(first), zipfile.ZipFile(second)
    pictures = lambda archive: {n: archive.read(n) for n in archive.namelist() if n.startswith("pictures/")}
    assert pictures(first) == pictures(second)
    for name in first.namelist():
        if not name.startswith("data/"):
            continue
        table = name.removeprefix("data/").removesuffix(".json")
        if table in LEFT:
            continue
        own = OWN.get(table, set())
        kept = lambda archive: [
            {column: value for column, value in row.items() if column not in own} for row in rows(archive, table)
        ]
        assert kept(first) == kept(second), table
        heads = [json.loads(archive.read(name)) for archive in (first, second)]
        for head in heads:
            del head["rows"]
        assert heads[0] == heads[1], table
        compared.add(table)
    return compared


def everything(program):
    """All rows and files of a house, so that a change is seen."""
    walker = Walker(program)
    watched = ("person", "account", "job", "picture", "entry", "balance", "log_entry")
    tables = {table: walker.rows(table) for table in watched}
    for entry in tables["log_entry"]:
        del entry["position"]  # The server gives it when it comes to it, which is no change by an import.
    tables = {table: sorted(map(str, rows)) for table, rows in tables.items()}
    files = sorted(str(file.relative_to(program.data)) for file in (program.data / "blobs").rglob("*"))
    return tables, files


def test_promise_rgt_05_what_another_house_took_in_comes_out_the_same(house, other, tmp_path):  # noqa: F811
    person = inhabited(house)
    file = tmp_path / "anna.zip"
    file.write_bytes(taken(house, person))
    unknown = brought(other, file)
    assert unknown.returncode == 1 and b"signed by another house" in unknown.stderr
    key = public_key(house)
    done = brought(other, file, trust=key)
    assert done.returncode == 0, done.stderr
    assert b"5 orders with 8 pictures" in done.stdout and b"made from nothing" in done.stdout
    again = archive_of(other, "anna@example.org", tmp_path)
    assert same(file, again) == {"person", "account", "job", "picture"}
    assert "The books are right" in other.command("admin", "credits", "check")

    # Sealed by the keys of this house: a walker that has them reads it, and nothing stands in the clear.
    walked = Walker(other).opened_rows(person["person_id"])
    assert sorted({row["prompt"] for row in walked["job"]}) == sorted(PROMPTS)
    for row in walked["picture"]:
        picture = Walker(other).picture(person["person_id"], row)
        assert picture == zipfile.ZipFile(file).read(f"pictures/{row['id']}.png")
    for stored in other.data.rglob("*"):
        if stored.is_file() and stored.suffix in (".db", ".db-wal", ".png"):
            assert b"HYPERLINK" not in stored.read_bytes(), stored

    before = everything(other)
    twice = brought(other, file, trust=key)
    assert twice.returncode == 0 and b"Here already: 5 orders" in twice.stdout, twice.stderr
    assert everything(other) == before


def test_promise_rgt_05_an_import_that_was_cut_off_goes_on(house, other, tmp_path):  # noqa: F811
    person = inhabited(house)
    file = tmp_path / "anna.zip"
    file.write_bytes(taken(house, person))
    key = public_key(house)
    for point in ("import-files-stored", "import-order-committed", "import-files-stored:2"):
        other.more["PINHOLE_FAIL_AT"] = point
        cut = brought(other, file, trust=key)
        assert cut.returncode < 0, cut.stderr
        del other.more["PINHOLE_FAIL_AT"]
    done = brought(other, file, trust=key)
    assert done.returncode == 0, done.stderr
    assert same(file, archive_of(other, "anna@example.org", tmp_path))
    with api(other, json.loads(other.command(
            "admin", "person", "key", "--email", "anna@example.org", "--json"))["api_key"]) as http:
        for listed in http.get("/v1/pictures?limit=100").json()["data"]:
            assert http.get(f"/v1/pictures/{listed['id']}/content").status_code == 200


def test_promise_rgt_05_an_archive_comes_into_an_account_that_is_there(house, tmp_path):  # noqa: F811
    """Into the same house too, where its numbers are taken by its own person."""
    inhabited(house)
    add(house, "bert@example.org")
    file = archive_of(house, "anna@example.org", tmp_path)
    for _ in range(2):
        done = brought(house, file, into="bert@example.org")
        assert done.returncode == 0, done.stderr
    first, second = zipfile.ZipFile(file), zipfile.ZipFile(archive_of(house, "bert@example.org", tmp_path))
    prompts = lambda archive: sorted(row["prompt"] for row in rows(archive, "job"))
    hashes = lambda archive: sorted(row["sha256"] for row in rows(archive, "picture"))
    assert prompts(first) == prompts(second) and hashes(first) == hashes(second)
    ids = lambda archive, table: {row["id"] for row in rows(archive, table)}
    for table in ("job", "picture"):
        assert not ids(first, table) & ids(second, table), "two people can't have the same number"
    assert same(file, archive_of(house, "anna@example.org", tmp_path)), "Anna's own stay as they were"


def test_promise_rgt_05_what_is_no_sound_archive_changes_nothing(house, other, tmp_path):  # noqa: F811
    person = inhabited(house)
    whole = taken(house, person)
    key = public_key(house)
    before = everything(other)
    file = tmp_path / "bad.zip"

    def refused(content, says, trust=key, into="new"):
        file.write_bytes(content)
        done = brought(other, file, trust=trust, into=into)
        assert done.returncode == 1, done.stdout
        assert says in done.stderr.decode(), done.stderr.decode()
        assert everything(other) == before, says

    def repacked(change=lambda name, content: content, packing=zipfile.ZIP_STORED, more=()):
        source, target = zipfile.ZipFile(io.BytesIO(whole)), io.BytesIO()
        with zipfile.ZipFile(target, "w", packing) as archive:
            for name in source.namelist():
                content = change(name, source.read(name))
                if content is not None:
                    archive.writestr(name, content)
            for name, content in more:
                archive.writestr(name, content)
        return target.getvalue()

    refused(b"", "no archive that can be read")
    refused(b"PK\3\4 and so on", "no archive that can be read")
    refused(whole[:-50], "no archive that can be read")
    refused(repacked(packing=zipfile.ZIP_DEFLATED), "is packed")
    refused(repacked(lambda name, content: None if name == "manifest.json" else content), "no manifest")
    refused(repacked(lambda name, content: None if name.startswith("pictures/") else content), "is missing")
    refused(repacked(more=[("../../escaped", "x")]), "not in the manifest")
    refused(repacked(more=[("/etc/escaped", "x")]), "not in the manifest")
    bent = lambda name, content: content.replace(b"quoted", b"Quoted") if name == "data/job.json" else content
    refused(repacked(bent), "data/job.json was changed")
    forged = lambda name, content: content.replace(b'"program":"', b'"program":"x') if name == "manifest.json" else content
    refused(repacked(forged), "changed after it was signed")
    refused(whole, "signed by another house", trust="AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
    refused(whole, "nobody has an account", into="nobody@example.org")
    # Whatever bit is turned: where the archive is not sound any more, nothing of it comes in.
    chance, caught = random.Random(7), 0
    while caught < 15:
        at = chance.randrange(len(whole))
        file.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        if run("verify", "export", file, cwd=tmp_path).returncode == 0:
            # A date, say: nothing that the manifest tells of.
            continue
        done = brought(other, file, trust=key)
        assert done.returncode == 1 and done.stderr, done.stdout
        caught += 1
    assert everything(other) == before


def forged(whole, change):
    """The same archive as a house of bad will would sign it, with its key."""
    source, files = zipfile.ZipFile(io.BytesIO(whole)), {}
    for name in source.namelist():
        files[name] = source.read(name)
    manifest = json.loads(files.pop("manifest.json"))["manifest"]
    files["log.json"] = json.dumps({"@context": {}, "checkpoint": None, "size": 0, "entries": []}).encode()
    manifest["log_checkpoint"] = None
    change(files, manifest)
    manifest["entries"] = [
        {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in files.items()
    ]
    key = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    signature = {"algorithm": "Ed25519", "public_key": public,
                 "value": base64.b64encode(key.sign(text.encode())).decode()}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("manifest.json", json.dumps({"manifest": manifest, "signature": signature}))
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue(), public


def test_promise_rgt_05_a_house_of_bad_will_can_sign_what_it_likes(house, other, tmp_path):  # noqa: F811
    whole = taken(house, inhabited(house))
    before = everything(other)
    file = tmp_path / "forged.zip"

    def row_of(table, **columns):
        def change(files, _):
            said = json.loads(files[f"data/{table}.json"])
            said["rows"][0] |= columns
            files[f"data/{table}.json"] = json.dumps(said).encode()

        return change

    def picture(content):
        def change(files, _):
            said = json.loads(files["data/picture.json"])
            row = said["rows"][0]
            row |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
            files[f"pictures/{row['id']}.png"] = content
            files["data/picture.json"] = json.dumps(said).encode()

        return change

    small = io.BytesIO()
    Image.new("RGB", (8, 8)).save(small, "png")
    for change, says in [
        (row_of("job", prompt=""), "prompt of"),
        (row_of("job", prompt="x" * 40_000), "prompt of"),
        (row_of("job", state="queued"), "the order of"),
        (row_of("job", state="flying"), "the state of"),
        (row_of("job", count=10**6), "the count"),
        (row_of("job", guidance="much"), "guidance of"),
        (row_of("job", ancestors="[-1]"), "ancestors of"),
        (row_of("job", wings=2), "does not know; update first"),
        (row_of("job", id="../../../../etc/passwd"), "the id of"),
        (row_of("picture", id="pic_../../../../etc/passwd"), "the id of"),
        (row_of("picture", ordinal=99), "the place in its order of"),
        (row_of("picture", rights="99"), "the edition of the rights of"),
        (row_of("picture", sha256="0" * 64), "the file of"),
        (picture(b"#!/bin/sh"), "it is no PNG"),
        (picture(b"\x89PNG\r\n\x1a\n and so on"), "not a readable PNG"),
        (picture(small.getvalue()), "another size than its row says"),
        (lambda files, _: files.pop("data/job.json"), "data/job.json"),
        (lambda files, _: files.update({"data/job.json": b"[" * 100_000}), "data/job.json"),
        (lambda files, manifest: manifest.update(kind="pinhole/export/2"), "not one as this program writes"),
        (lambda files, _: files.update({"log.json": b"{}"}), "log.json can't be read"),
    ]:
        content, key = forged(whole, change)
        file.write_bytes(content)
        done = brought(other, file, trust=key)
        assert done.returncode == 1 and says in done.stderr.decode(), (says, done.stderr.decode(), done.stdout)
        assert everything(other) == before, says
    # Names that lead elsewhere lead nowhere: nothing is ever written under the name of a file.
    content, key = forged(whole, lambda files, _: files.update({"../../escaped": b"x"}))
    file.write_bytes(content)
    assert brought(other, file, trust=key).returncode == 0
    assert not [found for found in tmp_path.rglob("*escaped*")]


def test_promise_x_04_the_assessment_is_read_by_an_rdf_parser_and_names_its_tests(tmp_path):
    said = lambda *arguments: run("privacy", *arguments, cwd=tmp_path).stdout.decode()
    dpv = rdflib.Namespace("https://w3id.org/dpv#")
    graph = rdflib.Graph().parse(data=said("dpia", "--format", "jsonld"), format="json-ld")
    assessed = json.loads(said("dpia", "--format", "json"))
    assert len(list(graph.objects(None, dpv.hasRisk))) == len(assessed["risks"]) > 5
    assert list(graph.objects(None, dpv.isMitigatedByMeasure))
    tests = {test for risk in assessed["risks"] for measure in risk["measures"] for test in measure["tests"]}
    assert "promise_gov_02_the_notice_in_docs_is_the_one_that_the_program_gives" in tests
    for risk in assessed["risks"]:
        for text in (said("dpia"), html.unescape(said("dpia", "--format", "html"))):
            assert risk["name"] in text
    lines = list(csv.DictReader(io.StringIO(said("record", "--format", "csv"))))
    record = json.loads(said("record", "--format", "json"))
    assert {line["purpose"] for line in lines} == {activity["purpose"] for activity in record["activities"]}
    rdflib.Graph().parse(data=said("notice", "--format", "jsonld"), format="json-ld")
