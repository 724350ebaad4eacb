"""LiteLLM as a client: a proxy's library that speaks to any server of this API."""

import os

# It would fetch a list of prices over the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import pytest
from pictures import opened

litellm.telemetry = False


@pytest.fixture
def generate(running):
    def ask(prompt, **more):
        return litellm.image_generation(
            prompt=prompt,
            api_base=f"{running.url}/v1",
            api_key="unused",
            num_retries=0,
            **({"model": "openai/pinhole-mini"} | more),
        )

    return ask


def test_a_prompt_becomes_a_picture(generate):
    answer = generate("a red apple", size="256x256", n=2)
    assert [opened(item.b64_json).size for item in answer.data] == [(256, 256)] * 2


def test_an_error_says_what_to_do(generate):
    with pytest.raises(litellm.exceptions.BadRequestError) as refused:
        generate("a red apple", size="17x17")
    assert "size" in str(refused.value)
    with pytest.raises(litellm.exceptions.NotFoundError) as unknown:
        generate("a red apple", model="openai/nowhere")
    assert "pinhole-mini" in str(unknown.value)

