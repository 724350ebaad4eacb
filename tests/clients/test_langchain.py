"""LangChain as a client: a chat model that may draw."""

import openai
import pytest
from langchain_openai import ChatOpenAI
from pictures import opened


@pytest.fixture
def artist(running):
    chat = ChatOpenAI(
        model="pinhole-mini",
        base_url=f"{running.url}/v1",
        api_key="unused",
        use_responses_api=True,
        max_retries=0,
    )
    return lambda **more: chat.bind_tools([{"type": "image_generation"} | more])


def pictures(message):
    return [block for block in message.content if block.get("type") == "image_generation_call"]


def test_a_message_comes_back_with_a_picture(artist):
    message = artist(output_format="webp").invoke("a red apple")
    (block,) = pictures(message)
    assert opened(block["result"]).format == "WEBP"
    assert message.usage_metadata["total_tokens"] > 0


def test_the_last_of_several_messages_counts(artist):
    first, second = (
        artist(seed=5).invoke(messages)
        for messages in ("a red apple", [("system", "You draw."), ("user", "a rocket"), ("user", "a red apple")])
    )
    assert pictures(first)[0]["result"] == pictures(second)[0]["result"]


def test_a_stream_ends_with_the_picture(artist):
    whole = None
    for chunk in artist().stream("a red apple"):
        whole = chunk if whole is None else whole + chunk
    results = [block["result"] for block in pictures(whole) if block.get("result")]
    assert opened(results[-1]).size == (256, 256)


def test_an_error_says_what_to_do(artist):
    with pytest.raises(openai.BadRequestError) as refused:
        artist(size="17x17").invoke("a red apple")
    assert refused.value.param == "size"
