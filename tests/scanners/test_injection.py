"""sqlmap, which nobody here wrote, over what people write into searches and forms. It must find nothing."""

import http.server
import json
import os
import sqlite3
import subprocess
import threading
import urllib.parse

import httpx2
import pytest

from program import Program

SQLMAP = os.environ["PINHOLE_SQLMAP"]
FORM = "sec-fetch-site: same-origin"
ANNA = "anna@example.org"
# It takes seconds; whoever hangs is ended.
LIMIT_S = 120


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    program = Program(tmp_path_factory.mktemp("house"), PINHOLE_ORDERS_PER_MINUTE=60_000).start()
    scopes = "draw pictures:read account:read account:write"
    added = program.command("admin", "person", "add", "--email", ANNA, "--key", "--scopes", scopes, "--json")
    program.key = json.loads(added)["api_key"]
    with httpx2.Client(base_url=program.url, headers={"authorization": f"Bearer {program.key}"}, timeout=120) as http:
        for prompt in ("a red apple", "a green apple"):
            order = {"prompt": prompt, "steps": 1, "size": "256x256"}
            assert http.post("/v1/images/generations", json=order).status_code == 200
        found = http.get("/v1/pictures", params={"words": "red"}).json()["data"]
        assert len(found) == 1, "what is searched for must make a difference"
    yield program
    program.kill()


def sqlmap(url, folder, *arguments):
    """What it says of a target, after so many requests that it tried each parameter."""
    command = [SQLMAP, "--batch", "--flush-session", "--disable-coloring", "--level=1", "--risk=2", "--technique=BEU",
               "--threads=4", "--timeout=10", "--retries=0", "--ignore-code=400,401,403,404,410,429",
               "--output-dir", folder / "out", "-u", url, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL,
                          env=os.environ | {"HOME": str(folder)})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def finds_nothing(said, parameters):
    assert "all tested parameters do not appear to be injectable" in said, said
    assert "is vulnerable" not in said and "injection point(s)" not in said, said
    for parameter in parameters:
        assert f"parameter '{parameter}' does not seem to be injectable" in said, (parameter, said)


@pytest.mark.parametrize(("path", "parameters"), [
    ("/v1/pictures?words=red&model=pinhole-mini&kind=drawing&from=2026-01-01&until=2030-01-01&limit=5",
     ["words", "model", "kind", "from", "until", "limit"]),
    ("/v1/jobs?limit=5&after=job_01ARZ3NDEKTSV4RRFFQ69G5FAV", ["limit", "after"]),
    ("/v1/credits/entries?limit=5", ["limit"]),
    ("/v1/authorities?country=de", ["country"]),
])
def test_promise_sec_06_no_query_reaches_the_database(house, tmp_path, path, parameters):
    said = sqlmap(house.url + path, tmp_path, "-H", f"Authorization: Bearer {house.key}")
    finds_nothing(said, parameters)


@pytest.mark.parametrize(("path", "fields"), [
    ("/sign-in", {"address": ANNA, "password": "three green apples"}),
    ("/reset", {"address": ANNA}),
    ("/privacy/request", {"address": ANNA, "about": "access", "words": "what is kept of me?"}),
])
def test_promise_sec_06_no_form_reaches_the_database(house, tmp_path, path, fields):
    data = "&".join(f"{name}={value}" for name, value in fields.items())
    said = sqlmap(house.url + path, tmp_path, "-H", FORM, "--data", data)
    finds_nothing(said, fields)


def test_promise_sec_06_no_path_and_no_key_reaches_the_database(house, tmp_path):
    said = sqlmap(house.url + "/v1/pictures/pic_01ARZ3NDEKTSV4RRFFQ69G5FAV*", tmp_path, "-H",
                  f"Authorization: Bearer {house.key}")
    finds_nothing(said, ["#1*"])
    said = sqlmap(house.url + "/v1/jobs", tmp_path, "-H", "Authorization: Bearer ph_anything*")
    finds_nothing(said, ["Authorization #1*"])


class Careless(http.server.BaseHTTPRequestHandler):
    """What nobody should write: a statement made of what somebody sent."""

    def do_GET(self):
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("words", [""])[0]
        database = sqlite3.connect(":memory:")
        database.executescript("CREATE TABLE picture (words TEXT); INSERT INTO picture VALUES ('red'), ('green')")
        try:
            found = database.execute(f"SELECT words FROM picture WHERE words = '{asked}'").fetchall()
            status, text = 200, "".join(f"<p>{words}</p>" for (words,) in found)
        except sqlite3.Error as error:
            status, text = 500, str(error)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def test_promise_sec_06_the_scanner_finds_what_there_is_to_find(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Careless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = sqlmap(f"http://127.0.0.1:{server.server_address[1]}/?words=red", tmp_path)
        server.shutdown()
    assert "injection point(s)" in said, said
