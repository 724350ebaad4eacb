"""Pictures that models may learn from, as whoever runs the house gathers them from the shell."""

import hashlib
import json

import httpx2

from pictures import opened
from program import Program, run

PEOPLE = 11
WORDS = {"version": 1}


def client(program, key):
    return httpx2.Client(base_url=program.url, headers={"authorization": f"Bearer {key}"}, timeout=120)


def shell(program, *arguments):
    return run(*arguments, cwd=program.folder, data=program.data, more=program.more)


def test_promise_gen_08_a_collection_from_the_shell_holds_what_was_agreed_to(tmp_path):
    program = Program(tmp_path).start()
    try:
        pictures, people, keys = [], [], []
        for number in range(PEOPLE):
            done = program.command("admin", "person", "add", "--email", f"person{number}@example.org", "--key", "--json")
            made = json.loads(done)
            people.append(made["person_id"])
            keys.append(made["api_key"])
            with client(program, made["api_key"]) as http:
                order = {"prompt": f"a cat and a moon, {number}", "quality": "low"}
                drawn = http.post("/v1/images/generations", json=order)
                assert drawn.status_code == 200, drawn.text
                picture = drawn.json()["data"][0]["picture_id"]
                pictures.append(picture)
                # The first one agrees to nothing.
                for purpose in ["training_pictures", "training_words"][: 2 if number else 0]:
                    said = http.put(f"/v1/pictures/{picture}/consents/{purpose}", json=WORDS)
                    assert said.status_code == 200, said.text

        refused = shell(program, "admin", "picture", "collect", "--out", str(tmp_path / "one"), "--picture", pictures[0])
        assert refused.returncode == 1 and b"does not let models learn" in refused.stderr, refused.stderr
        assert not (tmp_path / "one").exists()

        out = tmp_path / "set"
        program.command("admin", "picture", "collect", "--out", str(out))
        manifest = json.loads((out / "manifest.json").read_text())["receipt"]
        assert manifest["pictures"] == 10
        files = {one["file"]: one for one in manifest["files"]}
        assert {path.name for path in out.iterdir()} == {*files, "words.jsonl", "manifest.json"}
        for name, one in files.items():
            data = (out / name).read_bytes()
            assert hashlib.sha256(data).hexdigest() == one["sha256"]
            assert opened(data).size == (256, 256)
        words = [json.loads(line) for line in (out / "words.jsonl").read_text().splitlines()]
        assert {one["words"] for one in words} == {f"a cat and a moon, {number}" for number in range(1, PEOPLE)}
        # Nothing in any file says whose a picture is, nor in which order they came.
        everything = b"".join(path.read_bytes() for path in out.iterdir())
        for telling in [*people, *pictures, "person1@", "example.org"]:
            assert telling.encode() not in everything
        assert [one["words"] for one in words] != sorted(one["words"] for one in words)
        again = shell(program, "admin", "picture", "collect", "--out", str(out))
        assert again.returncode == 1 and b"is there already" in again.stderr
        checked = shell(program, "verify", "receipt", str(out / "manifest.json"))
        assert checked.returncode == 0 and b"10 pictures of at least 10 people" in checked.stdout, checked.stderr

        # One takes it back for everything, another goes: too few are left, and nothing is written.
        with client(program, keys[1]) as http:
            taken = http.delete("/v1/me/consents/training_pictures")
            assert taken.status_code == 200, taken.text
        fewer = shell(program, "admin", "picture", "collect", "--out", str(tmp_path / "fewer"))
        assert fewer.returncode == 1 and b"9 people" in fewer.stderr, fewer.stderr
        assert not (tmp_path / "fewer").exists()
    finally:
        program.kill()
