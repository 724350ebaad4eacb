"""Every route of the program's table, asked for by everybody who may not: a visitor, a key without the scope, a
key where a session is wanted, a member where staff are; and with somebody else's ids."""

import json
import re

import httpx2
import pytest

from mailbox import Mailbox
from program import Program, wait_for
from test_canaries import TABLE

PASSWORD = "three green apples"
FORM = {"sec-fetch-site": "same-origin"}
RULE = re.compile(r'\(\s*"(/[^"]*)",\s*(GET|POST|PUT|PATCH|DELETE),\s*(Open|Public|Session|Staff|Key)'
                  r'(?:\((?:Scope|Role)::(\w+)\))?,\s*(\w+),?\s*\)')
SCOPES = {"Draw": "draw", "PicturesRead": "pictures:read", "PicturesWrite": "pictures:write",
          "AccountRead": "account:read", "AccountWrite": "account:write", "AccountExport": "account:export",
          "AccountErase": "account:erase"}
WORDS = "a red apple that is Anna's alone"


def rules():
    text = TABLE.read_text()
    found = RULE.findall(text[text.index("const TABLE"):text.index("pub(crate) fn of")])
    assert len(found) > 130, "the table of routes is written in another way now"
    return found


@pytest.fixture
def house(tmp_path):
    mailbox = Mailbox()
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url).start()
    program.mailbox = mailbox
    welcome = re.search(r"make the first account: (\S+)", program.log())[1]
    form = {"address": "op@example.org", "password": PASSWORD, "adopt": "1"}
    with httpx2.Client(base_url=program.url, headers=FORM, timeout=60) as http:
        assert http.post(welcome, data=form).status_code == 303
    yield program
    program.kill()
    mailbox.close()


def member(house, name):
    """Somebody signed in, with a key that may do everything."""
    address = f"{name}@example.org"
    http = httpx2.Client(base_url=house.url, headers=FORM, timeout=60)
    assert http.post("/sign-up", data={"address": address, "password": PASSWORD, "born": "1990-05-17"}).status_code == 200
    letter = wait_for(lambda: house.mailbox.to(address), "the letter to sign up")[0]
    link = re.search(r"http://\S+/sign-up/\S+", letter.get_body(("plain",)).get_content())[0]
    assert http.post(link, data={"password": PASSWORD}).status_code == 303
    return http, key(house, address, " ".join(SCOPES.values()))


def key(house, address, scopes):
    made = house.command("admin", "person", "key", "--email", address, "--scopes", scopes, "--json")
    headers = {"authorization": f"Bearer {json.loads(made)['api_key']}"}
    return httpx2.Client(base_url=house.url, headers=headers, timeout=60)


def filled(route, ids=None):
    ids = ids or {}
    return re.sub(r"\{\*?\w+\}", lambda _: next((one for part, one in ids.items() if part in route), "nothing"), route)


def is_let_in(answer):
    """Whether somebody got further than the door."""
    return answer.status_code < 300 or (
        answer.status_code == 303 and not answer.headers["location"].startswith("/sign-in"))


def test_promise_sec_06_nobody_gets_further_than_the_table_says(house):
    anna, _ = member(house, "anna")
    narrow = {name: key(house, "anna@example.org", " ".join(set(SCOPES.values()) - {scope}) )
              for name, scope in SCOPES.items()}
    with httpx2.Client(base_url=house.url, headers=FORM, timeout=60) as visitor:
        tried = 0
        for route, method, access, which, _ in rules():
            path = filled(route)
            what = {} if method == "GET" else {"json": {}} if route.startswith("/v1") else {"data": {}}
            if access in ("Session", "Staff", "Key"):
                answer = visitor.request(method, path, **what)
                assert not is_let_in(answer) and answer.status_code in (303, 401, 403), (method, route, answer.status_code)
                tried += 1
            if access == "Key":
                answer = narrow[which].request(method, path, **what)
                assert answer.status_code == 403, (method, route, answer.status_code, answer.text)
                assert answer.json()["error"]["code"] == "missing_scope", (method, route, answer.text)
                tried += 1
            if access in ("Session", "Staff"):
                answer = narrow["Draw"].request(method, path, **what)
                assert not is_let_in(answer), (method, route, answer.status_code)
                tried += 1
            if access == "Staff":
                answer = anna.request(method, path, **what)
                assert answer.status_code in (403, 404), (method, route, answer.status_code)
                tried += 1
        assert tried > 180, tried


def test_promise_sec_06_somebody_elses_ids_lead_to_nothing(house):
    (anna, annas), (bert, berts) = member(house, "anna"), member(house, "bert")
    drawn = annas.post("/v1/images/generations", json={"prompt": WORDS, "steps": 1, "size": "256x256"})
    assert drawn.status_code == 200, drawn.text
    [entry] = [one for one in re.findall(r"/account/log/(\w+)", anna.get("/account/log").text)][:1]
    ids = {
        "/jobs/": annas.get("/v1/jobs").json()["data"][0]["id"],
        "/pictures/": drawn.json()["data"][0]["picture_id"],
        "/export/": annas.post("/v1/me/export").json()["id"],
        "/requests/": annas.post("/v1/me/requests", json={"about": "other", "words": WORDS}).json()["id"],
        "/log/": entry,
        "/objections/": "nothing",
    }

    def hers():
        found = {path: annas.get(path).json()["data"] for path in ("/v1/jobs", "/v1/pictures", "/v1/me/requests")}
        # Signed anew each time.
        return {path: [{**one, "open_dsr": None} for one in all_] for path, all_ in found.items()}

    before = hers()
    tried = 0
    for route, method, access, *_ in rules():
        if access not in ("Session", "Key") or not any(part in route for part in ids) or "{" not in route:
            continue
        path = filled(route, ids)
        for client in (bert, berts):
            what = {} if method == "GET" else {"json": {}} if route.startswith("/v1") else {"data": {}}
            answer = client.request(method, path, **what)
            assert not is_let_in(answer), (method, path, answer.status_code)
            assert WORDS not in answer.text, (method, path)
            tried += 1
    # Ids in bodies as well.
    for path, fields in (("/pictures/chosen", {"id": ids["/pictures/"], "do": "delete"}),
                         ("/draw/again", {"job": ids["/jobs/"]}), ("/draw/variations", {"picture": ids["/pictures/"]}),
                         ("/account/requests/withdraw", {"id": ids["/requests/"]})):
        answer = bert.post(path, data=fields)
        assert WORDS not in answer.text, path
        tried += 1
    archive = berts.post("/v1/pictures/archive", json={"ids": [ids["/pictures/"]]})
    assert archive.status_code >= 400 or ids["/pictures/"].encode() not in archive.content
    assert tried > 40, tried
    assert hers() == before, "something of Anna's was changed"
