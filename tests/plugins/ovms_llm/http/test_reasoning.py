from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.plugins.ovms_llm.http.conftest import Server, chunks_of, joined

from ovms_llm.fields.reasoning import ReasoningWish
from ovms_llm.http.chat import ChatBody
from ovms_llm.messages import Thinking

THINK = Thinking("<think>", "</think>")


@pytest.fixture
def thinker(server: Server) -> Server:
    """A server whose model thinks aloud, and thinks more or less."""
    server.speaks("hermes", knows_tools=True, knows_effort=True, thinking=THINK)
    server.says("<think>", "hm", " hm", "</think>", "\n\n", "Hello", "!")
    return server


WISHES: list[tuple[dict[str, Any], ReasoningWish]] = [
    ({}, ReasoningWish()),
    ({"reasoning_effort": "xhigh"}, ReasoningWish("xhigh", effort_fields=("reasoning_effort",))),
    ({"reasoning": {"effort": "low"}}, ReasoningWish("low", effort_fields=("reasoning.effort",))),
    ({"reasoning": {"enabled": False}}, ReasoningWish("none", effort_fields=("reasoning.enabled",))),
    ({"reasoning": {"enabled": True}}, ReasoningWish("medium", effort_fields=("reasoning.enabled",))),
    ({"thinking": {"type": "disabled"}}, ReasoningWish("none", effort_fields=("thinking",))),
    ({"enable_thinking": True}, ReasoningWish("medium", effort_fields=("enable_thinking",))),
    (
        {"enable_thinking": True, "reasoning_effort": "high"},
        ReasoningWish("high", effort_fields=("reasoning_effort", "enable_thinking")),
    ),
    ({"thinking_budget": 5}, ReasoningWish(budget=5, budget_fields=("thinking_budget",))),
    ({"thinking_token_budget": 5}, ReasoningWish(budget=5, budget_fields=("thinking_token_budget",))),
    ({"reasoning": {"max_tokens": 5}}, ReasoningWish(budget=5, budget_fields=("reasoning.max_tokens",))),
    ({"thinking_budget": -1}, ReasoningWish()),
    ({"include_reasoning": False}, ReasoningWish(include=False)),
    ({"reasoning": {"exclude": True}}, ReasoningWish(include=False)),
]


@pytest.mark.parametrize(("fields", "wish"), WISHES)
def test_all_the_fields_together_say_how_much_to_think(fields: dict[str, Any], wish: ReasoningWish) -> None:
    body = ChatBody.model_validate({"messages": [{"role": "user", "content": "Hi"}], **fields})
    assert body.reasoning_wish == wish


async def test_a_thought_is_told_by_both_names_and_counted(thinker: Server) -> None:
    response = await thinker.chat()
    answer = ChatCompletion.model_validate_json(response.content, strict=True)
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 4
    assert response.json()["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello!",
        "refusal": None,
        "reasoning_content": "hm hm",
        "reasoning": "hm hm",
    }


async def test_a_streamed_thought_comes_before_the_answer_by_both_names(thinker: Server) -> None:
    chunks = chunks_of(await thinker.chat(stream=True))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[1:3] == [{"reasoning_content": text, "reasoning": text} for text in ("hm", " hm")]
    assert joined(chunks) == "Hello!"
    assert all(deltas[:-1])


async def test_a_thought_that_the_prompt_has_opened_is_one(thinker: Server) -> None:
    thinker.says("hm", "</think>", "Hi", channel="reasoning")
    message = (await thinker.chat()).json()["choices"][0]["message"]
    assert (message["reasoning"], message["content"]) == ("hm", "Hi")


async def test_an_answer_that_ends_in_its_thought_has_no_content(thinker: Server) -> None:
    thinker.says("<think>", "hm", finish_reason="length")
    choice = (await thinker.chat()).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "length")


@pytest.mark.parametrize("fields", [{"include_reasoning": False}, {"reasoning": {"exclude": True}}])
async def test_a_client_may_leave_the_thought_out_but_pays_for_it(thinker: Server, fields: dict[str, Any]) -> None:
    document = (await thinker.chat(**fields)).json()
    assert document["choices"][0]["message"] == {"role": "assistant", "content": "Hello!", "refusal": None}
    assert document["usage"]["completion_tokens_details"] == {"reasoning_tokens": 4}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(await thinker.chat(stream=True, **fields))]
    assert [delta["content"] for delta in deltas if delta] == ["", "Hello", "!"]


async def test_the_template_is_told_the_effort_and_the_clients_own_variables_win(thinker: Server) -> None:
    response = await thinker.chat(reasoning_effort="low", chat_template_kwargs={"reasoning_effort": "mine"})
    assert thinker.asked.prompt.template_kwargs == {"enable_thinking": True, "reasoning_effort": "mine"}
    assert "x-ignored-params" not in response.headers


async def test_the_engine_is_told_the_marks_of_thoughts_and_the_budget(thinker: Server) -> None:
    await thinker.chat(thinking_budget=7)
    assert thinker.asked.thinking == Thinking("<think>", "</think>", 7)
    assert thinker.asked.markers == ["<think>", "</think>"]


async def test_a_model_that_thinks_as_it_likes_ignores_the_effort_but_not_the_budget(server: Server) -> None:
    server.speaks("hermes", thinking=THINK)
    response = await server.chat(reasoning_effort="low", thinking_budget=7)
    assert response.headers["x-ignored-params"] == "reasoning_effort"
    assert server.asked.prompt.template_kwargs == {}


async def test_ignored_wishes_are_named_in_streams_too(server: Server) -> None:
    response = await server.chat(reasoning_effort="low", thinking_budget=7, stream=True)
    assert response.headers["x-ignored-params"] == "reasoning_effort, thinking_budget"


async def test_a_plain_prompt_is_continued_with_all_that_the_model_says(thinker: Server) -> None:
    document = (await thinker.complete()).json()
    assert document["choices"][0]["text"] == "<think>hm hm</think>\n\nHello!"
    assert (thinker.asked.thinking, thinker.asked.markers) == (None, [])


async def test_logprobs_are_those_of_the_content(thinker: Server) -> None:
    tokens = (await thinker.chat(logprobs=True)).json()["choices"][0]["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens).strip() == "Hello!"
    chunks = chunks_of(await thinker.chat(logprobs=True, stream=True))
    told = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [token for each in told if each for token in each["content"]] == tokens
