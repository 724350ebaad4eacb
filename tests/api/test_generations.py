"""Pictures through the official SDK."""

import base64
from xml.etree import ElementTree

import httpx2
import openai
import pytest
from pictures import difference, has_content, opened

PROMPT = "a red apple"


def test_a_prompt_becomes_a_picture(client):
    answer = client.images.generate(prompt=PROMPT)
    assert len(answer.data) == 1
    assert answer.data[0].url is None
    picture = opened(answer.data[0].b64_json)
    assert (picture.format, picture.size) == ("PNG", (256, 256))
    assert has_content(picture)
    assert answer.created > 1_700_000_000
    assert answer.size == "256x256"
    assert answer.output_format == "png"
    assert answer.background == "opaque"


@pytest.mark.parametrize("format, size", [("png", 256), ("webp", 512)])
def test_a_transparent_background_is_in_the_file_at_either_size(client, format, size):
    asked = {"prompt": PROMPT, "size": f"{size}x{size}", "output_format": format, "background": "transparent"}
    answer = client.images.generate(**asked)
    assert answer.background == "transparent"
    picture = opened(answer.data[0].b64_json)
    assert (picture.format, picture.size, picture.mode) == (format.upper(), (size, size), "RGBA")
    alpha = picture.getchannel("A")
    # The corners are empty, and something is in the middle.
    assert [alpha.getpixel(at) for at in ((2, 2), (size - 3, 2), (2, size - 3), (size - 3, size - 3))] == [0] * 4
    assert alpha.getpixel((size // 2, size // 2)) == 255


def test_two_pictures_are_two_different_ones(client):
    answer = client.images.generate(prompt=PROMPT, n=2)
    one, other = (opened(item.b64_json) for item in answer.data)
    assert difference(one, other) > 1


def test_the_same_seed_gives_the_same_picture(client):
    first, again, another = (
        client.images.generate(prompt=PROMPT, extra_body={"seed": seed}).data[0]
        for seed in (7, 7, 8)
    )
    assert first.b64_json == again.b64_json
    assert first.b64_json != another.b64_json


def test_the_answer_tells_the_seed_that_draws_it_again(client):
    answer = client.images.generate(prompt=PROMPT, n=2)
    second = answer.data[1]
    again = client.images.generate(prompt=PROMPT, extra_body={"seed": second.seed})
    assert opened(again.data[0].b64_json).tobytes() == opened(second.b64_json).tobytes()


@pytest.mark.parametrize(("asked", "format"), [("webp", "WEBP"), ("jpeg", "JPEG"), ("png", "PNG")])
def test_each_format_arrives_as_asked(client, asked, format):
    answer = client.images.generate(prompt=PROMPT, output_format=asked)
    assert opened(answer.data[0].b64_json).format == format
    assert answer.output_format == asked


@pytest.mark.parametrize("format", ["webp", "jpeg", "png"])
def test_promise_gen_03_a_file_holds_no_words_of_its_prompt(client, format):
    answer = client.images.generate(prompt="an apple and a plughxyzzy", output_format=format)
    data = base64.b64decode(answer.data[0].b64_json)
    assert b"plughxyzzy" not in data
    assert b"apple" not in data
    # What Pillow finds beside the pixels says how to read them.
    assert set(opened(data).info) <= {
        *("jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "gamma", "srgb"),
        *("loop", "background", "duration", "timestamp"),
    }


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_promise_own_01_a_file_says_whose_it_is_where_that_is_wanted(client, format):
    url = client.images.generate(prompt="an apple and a plughxyzzy", response_format="url").data[0].url
    plain, noted = (httpx2.get(f"{url}?format={format}&rights={rights}") for rights in (0, 1))
    assert plain.headers["etag"] != noted.headers["etag"]
    pictures = [opened(answer.content) for answer in (plain, noted)]
    assert pictures[0].tobytes() == pictures[1].tobytes()
    assert "xmp" not in pictures[0].info
    packet = ElementTree.fromstring(pictures[1].info["xmp"].decode().strip())
    said = [element.text for element in packet.iter() if element.tag.endswith("}li")]
    assert len(said) == 1 and "belongs to the person for whom it was drawn" in said[0]
    # Nothing else, and nobody's name or words.
    assert b"plughxyzzy" not in noted.content and b"per_" not in noted.content
    same = httpx2.get(f"{url}?format={format}&rights=1", headers={"if-none-match": noted.headers["etag"]})
    assert same.status_code == 304


def test_compression_makes_a_jpeg_smaller(client):
    large, small = (
        client.images.generate(
            prompt=PROMPT, output_format="jpeg", output_compression=compression, extra_body={"seed": 3}
        ).data[0].b64_json
        for compression in (95, 10)
    )
    assert len(small) < len(large)


def test_a_url_fetches_the_picture(client, running):
    answer = client.images.generate(prompt=PROMPT, response_format="url")
    assert answer.data[0].b64_json is None
    url = answer.data[0].url
    assert url.startswith(running.url)
    fetched = httpx2.get(url)
    assert fetched.status_code == 200
    assert fetched.headers["content-type"] == "image/png"
    assert opened(fetched.content).size == (256, 256)


def test_size_and_quality_that_the_model_honours(client):
    answer = client.images.generate(
        prompt=PROMPT, model="pinhole-mini", size="256x256", quality="low", background="opaque",
        moderation="auto", user="someone",
    )
    assert answer.quality == "low"
    for size in ("auto", openai.omit):
        assert client.images.generate(prompt=PROMPT, size=size).size == "256x256"


def test_usage_counts_words_and_pictures(client):
    usage = client.images.generate(prompt=PROMPT).usage
    assert usage.input_tokens > 0
    assert usage.input_tokens_details.text_tokens == usage.input_tokens
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_streaming_shows_the_picture_on_its_way(client):
    stream = client.images.generate(prompt=PROMPT, stream=True, partial_images=2)
    events = list(stream)
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    *partials, completed = events
    assert [partial.partial_image_index for partial in partials] == [0, 1]
    for event in events:
        assert opened(event.b64_json).size == (256, 256)
        assert (event.size, event.output_format) == ("256x256", "png")
        assert event.created_at > 1_700_000_000
    assert completed.usage.total_tokens > 0
    pictures = [opened(event.b64_json) for event in events]
    assert difference(pictures[0], pictures[2]) > difference(pictures[1], pictures[2])


def test_streaming_without_partials_ends_with_the_picture(client):
    events = list(client.images.generate(prompt=PROMPT, stream=True, partial_images=0))
    assert [event.type for event in events] == ["image_generation.completed"]


def test_models_are_listed_and_found(client):
    listed = {model.id: model for model in client.models.list()}
    assert "pinhole-mini" in listed
    model = client.models.retrieve("pinhole-mini")
    assert (model.id, model.object) == ("pinhole-mini", "model")
    assert model.owned_by
    assert model.created > 0
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("nowhere")
    assert "pinhole-mini" in refused.value.message


def test_every_answer_has_an_id_to_ask_about(http):
    ids = [http.get(path).headers["x-request-id"] for path in ("/v1/models", "/v1/models", "/v1/nowhere")]
    assert len(set(ids)) == 3


def test_what_is_to_be_left_out_is_guided_away_from(running, http):
    """The shipped model draws without guidance, which would leave nothing out."""
    for more, guidance in (({}, 1.0), ({"negative_prompt": "a hat"}, 2.0), ({"negative_prompt": "a hat", "guidance": 3}, 3.0)):
        drawn = http.post("/v1/images/generations", json={"prompt": PROMPT, "steps": 1} | more).json()
        job = http.get(f"/v1/jobs/{drawn['job_id']}").json()
        assert job["guidance"] == guidance, more
    refused = http.post("/v1/images/generations", json={"prompt": PROMPT, "negative_prompt": "a hat", "guidance": 1})
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "guidance"
