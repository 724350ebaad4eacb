"""A mark of its own in every field of every route, and then a search for all of them in every byte that the
program has written: databases, their logs, files, its own log. A mark may be in the open where the inventory
declares a column that is kept as it is, and nowhere else."""

import base64
import html.parser
import json
import re
from pathlib import Path

import httpx2
import pytest

from mailbox import Mailbox
from program import Program, wait_for
from test_erasure import dump
from walker import Walker

# The program's own table of routes: what is not in it is refused by the program.
TABLE = Path(__file__).parents[2] / "crates/web/src/guard/access.rs"
ROUTE = re.compile(r'\(\s*"(/[^"]*)",\s*(GET|POST|PUT|PATCH|DELETE),\s*(?:Open|Public|Session|Staff|Key)')
PASSWORD = "three green apples"
FORM = {"sec-fetch-site": "same-origin"}
ANNA = "anna@example.org"
SCOPES = ("draw pictures:read pictures:write account:read account:write account:export account:erase")
# Of every mark.
TAIL = b"canariesinthemine"
# What would sign Anna out, or end what the others need. Their fields are filled in the blunt round, by a stranger.
LAST = ("/sign-out", "/account/delete", "/account/sessions", "/account/keys/revoke", "/account/restriction",
        "/account/password", "/v1/me/erasure", "/v1/me/restriction")


class Marks:
    """A mark for each place in which somebody can write something."""

    def __init__(self):
        self.places = {}

    def new(self, *place):
        mark = f"zq{len(self.places):05d}" + TAIL.decode()
        self.places[mark] = " ".join(map(str, place))
        # What is to be drawn needs a word that the model knows.
        return f"a red apple {mark}" if {"prompt", "input"} & set(place) else mark

    def are_in(self, value):
        return isinstance(value, str) and TAIL.decode() in value


class Forms(html.parser.HTMLParser):
    """The forms of a page: where each goes, and its fields."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and attributes.get("method") == "post":
            self.found.append((attributes["action"] if "action" in attributes else None, {}, attributes.get("enctype")))
        name = attributes.get("name")
        if not self.found or not name or tag not in ("input", "textarea", "select", "button"):
            return
        kind = {"textarea": "text", "select": "select"}.get(tag, attributes.get("type", "text"))
        known = self.found[-1][1]
        if kind == "radio" and name in known and "checked" not in attributes:
            return
        known[name] = (kind, attributes.get("value", ""))

    def handle_endtag(self, tag):
        if tag == "form" and self.found:
            self.found.append((None, {}, None))


def routes():
    found = ROUTE.findall(TABLE.read_text())
    assert len(found) > 130, "the table of routes is written in another way now"
    return found


def of_schema(contract, schema, marks, place):
    """A value that a schema allows, with marks wherever words go."""
    while "$ref" in schema:
        schema = contract["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    for either in ("oneOf", "anyOf", "allOf"):
        if either in schema and "properties" not in schema:
            return of_schema(contract, schema[either][0], marks, place)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((one for one in kind if one != "null"), "string") if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: of_schema(contract, one, marks, (*place, name)) for name, one in properties.items()}
    if kind == "array":
        return [of_schema(contract, schema.get("items", {}), marks, place)]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return schema.get("default", True) if kind == "boolean" else marks.new(*place)


def bodies(contract, marks):
    """Each field of each operation of the API alone in a body that is sound otherwise, and all at once."""
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if not content:
                continue
            whole = of_schema(contract, content["schema"], marks, (method, path))
            yield path, method, whole
            words = {name for name, value in whole.items() if marks.are_in(value)}
            base = {"prompt": "a red apple"} if "generations" in path else {}
            if "responses" in path:
                base = {"input": "a red apple"}
            for name in words:
                yield path, method, base | {name: marks.new(method, path, name, "alone")}
            yield path, method, base | {marks.new(method, path, "an unknown field"): 1}


def filled(fields, marks, place):
    """A form as somebody fills it who writes a mark wherever words go."""
    values = {}
    for name, (kind, value) in fields.items():
        if kind in ("text", "search", "url"):
            values[name] = marks.new(*place, name)
        elif kind == "email":
            values[name] = marks.new(*place, name) + "@example.org"
        elif kind == "password":
            values[name] = marks.new(*place, name) + " password"
        elif kind == "number":
            values[name] = value or "1"
        elif kind not in ("file", "checkbox"):
            values[name] = value
    return values


def knock(client, method, url, **what):
    try:
        return client.request(method, url, **what)
    except httpx2.TimeoutException:
        # A stream that goes on.
        return None
    except httpx2.RemoteProtocolError:
        # What was kept open may be closed in the moment in which it is used again. A crash is one again.
        return client.request(method, url, **what)


def test_promise_gov_05_a_mark_in_any_field_of_any_route_stays_where_it_is_declared(tmp_path):
    mailbox = Mailbox()
    program = Program(tmp_path, PINHOLE_SMTP=mailbox.url, PINHOLE_ORDERS_PER_MINUTE=60_000, PINHOLE_LOG="debug").start()
    try:
        marks = Marks()
        anna_id = walk(program, mailbox, marks)
        assert len(marks.places) > 1_000, len(marks.places)
        wait_for(lambda: program.rows("SELECT COUNT(*) FROM job WHERE finished_ms IS NULL") == [("0",)], "the drawings to end")
        opened = json.dumps(Walker(program).opened_rows(anna_id))
        kept = [mark for mark in marks.places if mark in opened]
        print([marks.places[m] for m in kept])
        assert len(kept) > 8, f"only {len(kept)} were kept at all, so little was tried"
        assert program.stop() == 0, program.log()
        in_the_open(program, marks)
    finally:
        program.kill()
        mailbox.close()


def walk(program, mailbox, marks):
    welcome = re.search(r"make the first account: (\S+)", program.log())[1]
    operator = httpx2.Client(base_url=program.url, headers=FORM, timeout=60)
    assert operator.post(welcome, data={"address": "op@example.org", "password": PASSWORD, "adopt": "1"}).status_code == 303
    added = json.loads(program.command("admin", "person", "add", "--email", ANNA, "--credits", "100000", "--key",
                                       "--scopes", SCOPES, "--json"))
    with httpx2.Client(base_url=program.url, headers=FORM, timeout=60) as door:
        door.post("/reset", data={"address": ANNA})
        letter = wait_for(lambda: mailbox.to(ANNA), "the letter that lets Anna in")[0]
        link = re.search(r"http://\S+/reset/\S+", letter.get_body(("plain",)).get_content())[0]
        assert door.post(link, data={"password": PASSWORD}).status_code == 200
    anna = httpx2.Client(base_url=program.url, headers=FORM, timeout=60)
    assert anna.post("/sign-in", data={"address": ANNA, "password": PASSWORD}).status_code == 303
    key = httpx2.Client(base_url=program.url, headers={"authorization": f"Bearer {added['api_key']}"}, timeout=60)
    drawn = key.post("/v1/images/generations", json={"prompt": marks.new("prompt"), "steps": 1, "size": "256x256"})
    assert drawn.status_code == 200, drawn.text
    picture = drawn.json()["data"][0]["picture_id"]
    job = key.get("/v1/jobs").json()["data"][0]["id"]

    def path_of(route):
        if "/pictures/" in route:
            return route.replace("{id}", picture)
        return route.replace("{id}", job) if "/jobs/" in route else route

    # The API, by its own description.
    contract = operator.get("/openapi.json").json()
    for path, method, body in bodies(contract, marks):
        if not path.startswith(LAST):
            knock(key, method.upper(), path_of(re.sub(r"\{\w+\}", marks.new("path", path), path_of(path))), json=body,
                  timeout=20)
    # Forms, as they stand on the pages.
    pages = {route for route, method in routes() if method == "GET" and "{" not in route
             and not route.startswith(("/v1", "/assets", "/docs", "/openapi"))} | {f"/pictures/{picture}"}
    names = set()
    for page in sorted(pages):
        for client in (anna, operator):
            answer = knock(client, "GET", page)
            if "text/html" not in answer.headers.get("content-type", ""):
                continue
            for action, fields, enctype in Forms(answer.text).found:
                names |= fields.keys()
                action = (action or page).split("?")[0]
                if not fields or action.startswith(LAST):
                    continue
                values = filled(fields, marks, (page, action))
                how = {"files": {name: (None, value) for name, value in values.items()}} if enctype else {"data": values}
                knock(client, "POST", action, **how)
    assert {"prompt", "address", "display_name", "words"} <= names, names
    # Bluntly: everything at once at every route, by somebody who may and by somebody who may not.
    stranger = httpx2.Client(base_url=program.url, headers=FORM, timeout=20)
    for route, method in routes():
        at = (method, route)
        path = re.sub(r"\{\*?\w+\}", lambda _: marks.new(*at, "path"), route)
        query = {name: marks.new(*at, "query", name) for name in (
            "words", "model", "after", "from", "until", "next", "country", "about")}
        query[marks.new(*at, "name in the query")] = "1"
        headers = {name: marks.new(*at, "header", name) for name in (
            "user-agent", "referer", "accept-language", "x-forwarded-for", "x-request-id", "idempotency-key",
            "x-real-ip", "forwarded", "from", "prefer", "x-stainless-lang")}
        for client in (stranger, anna):
            if client is anna and route.startswith(LAST):
                continue
            headers["cookie"] = "; ".join([*(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar),
                                           f"other={marks.new(*at, 'cookie')}"])
            what = {} if method == "GET" else {"data": {name: marks.new(*at, "form", name) for name in names}}
            knock(client, method, path, params=query, headers=headers, timeout=5, **what)
    assert program.alive(), program.log()
    for client in (operator, anna, key, stranger):
        client.close()
    return added["person_id"]


def base64_of(words):
    """What stands in any base64 of a text that holds these words, whatever stands before and after."""
    for phase in range(3):
        letters = base64.b64encode(b"\0" * phase + words)
        yield letters[4 if phase else 0 : -4]


def traces():
    """Patterns that find a mark in any of its forms."""
    raw = b"zq\\d{5}" + TAIL
    digits = b"(?:3\\d){5}"
    forms = [raw, b"z\0q\0(?:\\d\0){5}" + TAIL.decode().encode("utf-16-le")]
    for cased in (bytes.hex, lambda text: text.hex().upper()):
        forms.append(cased(b"zq").encode() + digits + cased(TAIL).encode())
    # Numbers differ from mark to mark, so that in base64 only the rest of it can be looked for.
    return [re.compile(form) for form in forms + [re.escape(one) for one in base64_of(TAIL)]]


def in_the_open(program, marks):
    """Fails where a mark stands that should not."""
    inventory = json.loads(program.command("privacy", "inventory"))
    plain = {(one["table"], one["column"]) for one in inventory["columns"]
             if one["is_about_somebody"] and one["stored"] == "as it is"}
    walker = Walker(program)
    allowed, undeclared = set(), []
    for table in walker.tables:
        for row in walker.rows(table):
            for column, value in row.items():
                for mark in re.findall(r"zq\d{5}" + TAIL.decode(), value or ""):
                    if (table, column) in plain:
                        allowed.add(mark.encode())
                    else:
                        undeclared.append((table, column, marks.places[mark]))
    assert not undeclared, undeclared[:20]
    everything = [(file, file.read_bytes()) for file in program.data.rglob("*") if file.is_file()]
    everything += [(file, file.read_bytes()) for file in program.folder.glob("log-*")]
    if program.database:
        everything.append((Path("the database"), dump(program)))
    patterns = traces()
    sample = next(iter(marks.places)).encode()
    for sound in (sample, sample.decode().encode("utf-16-le"), sample.hex().encode(), base64.b64encode(b"--" + sample)):
        assert any(pattern.search(sound) for pattern in patterns), sound
    found = []
    for name, content in everything:
        is_database = name.name.startswith("pinhole.db") or name.name == "the database"
        for pattern in patterns:
            for hit in pattern.findall(content):
                if not (is_database and hit in allowed):
                    found.append((name.name, hit, marks.places.get(hit.decode(errors="replace"))))
    assert not found, (len(found), found[:20])
