"""What is refused, and how: the right status, the field, and what to do about it."""

import json

import pytest

GENERATIONS = "/v1/images/generations"


def refused(response, status):
    """The error of a refusal, in the form that clients read."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["x-request-id"]
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].endswith(".")
    return error


@pytest.mark.parametrize(
    ("body", "param", "hint"),
    [
        ({}, "prompt", "prompt"),
        ({"prompt": ""}, "prompt", "Say in a few words what to draw"),
        ({"prompt": " \n\t "}, "prompt", "Say in a few words what to draw"),
        ({"prompt": "x" * 40_000}, "prompt", "Shorten it"),
        ({"prompt": "a\u0000b"}, "prompt", "Remove it"),
        ({"prompt": "a\u001b[31mred"}, "prompt", "Remove it"),
        ({"prompt": 7}, "prompt", ""),
        ({"prompt": ["a cat"]}, "prompt", ""),
        ({"n": 0}, "n", "1 to 10"),
        ({"n": 11}, "n", "1 to 10"),
        ({"n": -1}, "n", ""),
        ({"n": 1.5}, "n", ""),
        ({"n": "two"}, "n", ""),
        ({"size": "large"}, "size", "256x256"),
        ({"size": "1024x1024"}, "size", "256x256"),
        ({"size": "0x0"}, "size", "256x256"),
        ({"size": "99999999999x1"}, "size", "256x256"),
        ({"model": ""}, "model", "pinhole-mini"),
        ({"model": "dall-e-9"}, "model", "pinhole-mini"),
        ({"background": "transparent", "output_format": "jpeg"}, "background", "png"),
        ({"background": "checkered"}, "background", "opaque"),
        ({"output_format": "gif"}, "output_format", "png"),
        ({"output_compression": 101}, "output_compression", "100"),
        ({"output_compression": -1}, "output_compression", ""),
        ({"quality": "perfect"}, "quality", "high"),
        ({"response_format": "fax"}, "response_format", "b64_json"),
        ({"moderation": "none"}, "moderation", "auto"),
        ({"stream": "yes"}, "stream", ""),
        ({"partial_images": 4, "stream": True}, "partial_images", "3"),
        ({"seed": -1}, "seed", ""),
        ({"seed": 2**40}, "seed", ""),
        ({"steps": 0}, "steps", ""),
        ({"steps": 10_000}, "steps", ""),
        ({"guidance": 1e9}, "guidance", ""),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_a_bad_field_is_named(http, body, param, hint):
    wanted = {"prompt": "a red apple"} | body if body else {}
    error = refused(http.post(GENERATIONS, json=wanted), 404 if param == "model" else 400)
    assert error["param"] == param
    assert hint in error["message"]


def test_a_field_that_nobody_knows_is_ignored(http):
    answer = http.post(GENERATIONS, json={"prompt": "a red apple", "colour_of_the_frame": "gold"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("headers", "content", "status", "hint"),
    [
        ({"content-type": "application/json"}, b"{", 400, "JSON"),
        ({"content-type": "application/json"}, b"", 400, "JSON"),
        ({"content-type": "application/json"}, b"[]", 400, ""),
        ({"content-type": "application/json"}, b'{"prompt": "\xff\xfe"}', 400, ""),
        ({"content-type": "application/json"}, b'{"a":' * 50_000, 400, ""),
        ({"content-type": "text/plain"}, b"a red apple", 415, "application/json"),
        ({}, b'{"prompt": "a red apple"}', 415, "application/json"),
    ],
    ids=["cut short", "empty", "a list", "not UTF-8", "deep", "plain text", "no type"],
)
def test_a_body_that_is_no_request(http, headers, content, status, hint):
    error = refused(http.post(GENERATIONS, content=content, headers=headers), status)
    assert hint in error["message"]


def test_a_body_that_is_too_large(http):
    error = refused(http.post(GENERATIONS, json={"prompt": "x" * 20_000_000}), 413)
    assert "smaller" in error["message"] or "at most" in error["message"]


def test_an_address_that_is_not_there(http):
    assert "/v1/nowhere" in refused(http.get("/v1/nowhere"), 404)["message"]


def test_a_method_that_is_not_there(http):
    error = refused(http.get(GENERATIONS), 405)
    assert "POST" in error["message"]


def test_no_refusal_left_a_job(http):
    """A refused order is not written down, so nothing of it waits in the queue."""
    before = http.get("/v1/jobs").json()["data"]
    refused(http.post(GENERATIONS, json={"prompt": ""}), 400)
    refused(http.post(GENERATIONS, json={"prompt": "a cat", "n": 99}), 400)
    assert http.get("/v1/jobs").json()["data"] == before
