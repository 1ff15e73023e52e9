"""Programs written for OpenAI's moderation endpoint, with only the address changed.

Each client talks to the service by itself, and to the service on the page's port.
"""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import openai
import pytest

from tests.service.conftest import KIND, RUDE

NODE = Path(__file__).parent / "node"
NODE_CLIENT = bool(shutil.which("node")) and (NODE / "node_modules" / "openai").is_dir()
IMAGE = {"type": "image_url", "image_url": {"url": "https://forum.example/cat.png"}}


@pytest.fixture(params=["running", "page"])
def server(request):
    """The service by itself, then on the page's port."""
    return request.getfixturevalue(request.param)


def client(server, **settings):
    return openai.OpenAI(base_url=f"{server.url}/v1", **{"api_key": "any", **settings})


# The package `openai` from PyPI


def test_the_python_sdk_moderates_a_text_a_list_and_parts(server):
    with client(server) as sdk:
        one = sdk.moderations.create(input=RUDE)
        two = sdk.moderations.create(input=[KIND, RUDE], model="omni-moderation-latest")
        parts = sdk.moderations.create(input=[{"type": "text", "text": RUDE}])
    assert one.model == "toxic-minilm"
    [result] = one.results
    assert result.flagged
    assert result.categories.harassment
    assert result.category_scores.harassment > 0.8
    assert result.category_applied_input_types.harassment_threatening == ["text"]
    assert result.category_applied_input_types.self_harm == []
    assert result.category_scores.sexual_minors == 0
    assert [result.flagged for result in two.results] == [False, True]
    assert parts.results == one.results


def test_the_python_sdk_finds_every_field_that_it_knows(server):
    with client(server) as sdk:
        [result] = sdk.moderations.create(input=RUDE).results
    for part in ("categories", "category_scores", "category_applied_input_types"):
        found = getattr(result, part)
        assert found.model_fields_set == set(type(found).model_fields)


def test_the_async_python_sdk_moderates(server):
    async def moderate():
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any") as sdk:
            return await asyncio.gather(
                *(sdk.moderations.create(input=text) for text in (KIND, RUDE))
            )

    assert [reply.results[0].flagged for reply in asyncio.run(moderate())] == [False, True]


def test_the_python_sdk_raises_what_programs_catch(server):
    with client(server) as sdk, pytest.raises(openai.BadRequestError) as caught:
        sdk.moderations.create(input=[IMAGE])
    assert (caught.value.code, caught.value.param) == ("unsupported_value", "input[0].type")
    assert caught.value.type == "invalid_request_error"


def test_the_python_sdk_lists_the_model(server):
    with client(server) as sdk:
        assert [model.id for model in sdk.models.list()] == ["toxic-minilm"]


def test_the_python_sdk_raises_authentication_errors(serving, monkeypatch):
    monkeypatch.setenv("TOXICITY_API_KEYS", "right")
    with serving() as running:
        with client(running, api_key="right") as sdk:
            assert sdk.moderations.create(input=RUDE).results[0].flagged
        with client(running) as sdk:
            for call in (lambda: sdk.moderations.create(input=RUDE), sdk.models.list):
                with pytest.raises(openai.AuthenticationError) as caught:
                    call()
                assert caught.value.code == "invalid_api_key"


def test_the_python_sdk_waits_for_the_seconds_of_retry_after(serving, clock, monkeypatch):
    monkeypatch.setattr("openai._base_client.time", clock)
    with serving(rate_limit="1/2seconds") as running:
        with client(running, max_retries=3) as sdk:
            for _ in range(3):
                assert sdk.moderations.create(input=RUDE).results[0].flagged
        with client(running, max_retries=0) as sdk, pytest.raises(openai.RateLimitError) as caught:
            sdk.moderations.create(input=RUDE)
    assert caught.value.code == "rate_limit_exceeded"


# LangChain's middleware, which reads what goes into an agent and what comes out


def agent(sdk, answer):
    """Ask, as a function, an agent that knows one answer and is watched by the middleware."""
    from langchain.agents import create_agent
    from langchain_core.language_models import FakeListChatModel
    from langchain_openai.middleware import OpenAIModerationMiddleware

    watched = create_agent(
        FakeListChatModel(responses=[answer]),
        middleware=[OpenAIModerationMiddleware(client=sdk)],
    )
    return lambda words: watched.invoke({"messages": [("user", words)]})["messages"][-1].content


def test_langchains_middleware_lets_an_agent_answer_the_kind_only(server):
    with client(server) as sdk:
        ask = agent(sdk, answer=KIND)
        assert ask(KIND) == KIND
        assert ask(RUDE).endswith("flagged for harassment.")


def test_langchains_middleware_holds_back_a_rude_answer(server):
    with client(server) as sdk:
        assert agent(sdk, answer=RUDE)(KIND).endswith("flagged for harassment.")


# The package `openai` from npm


@pytest.mark.skipif(not NODE_CLIENT, reason="run `npm ci --prefix tests/service/node` first")
def test_the_node_sdk_moderates_and_gives_the_reason_of_a_refusal(server):
    command = ["node", NODE / "openai.cjs", server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [result["flagged"] for result in answers["results"]] == [False, True]
    assert answers["results"][1]["category_applied_input_types"]["self-harm"] == []
    assert answers["refused"] == {
        "name": "BadRequestError",
        "status": 400,
        "code": "unsupported_value",
        "param": "input[0].type",
    }
    assert answers["models"] == ["toxic-minilm"]


# Applications, by the very bodies that they send


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"input": RUDE}, id="LibreChat"),
        pytest.param({"model": "omni-moderation-latest", "input": RUDE}, id="LiteLLM"),
        pytest.param({"input": RUDE, "model": "text-moderation-latest"}, id="n8n"),
        pytest.param({"model": "text-moderation-latest", "input": [RUDE]}, id="LangChain4j"),
    ],
)
def test_applications_see_a_rude_text_flagged(server, body):
    reply = server.post("/v1/moderations", body, Authorization="Bearer any")
    assert reply.json["results"][0]["flagged"] is True
    assert reply.json["results"][0]["categories"]["harassment"] is True
