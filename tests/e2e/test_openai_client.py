"""The official `openai` client against the real model."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from openai import BadRequestError, NotFoundError, OpenAI, pydantic_function_tool
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

pytestmark = pytest.mark.real

_QUESTION: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "What is the capital of France? Answer in one short sentence."}
]


def _ask(client: OpenAI, stop: str | None = None) -> str:
    answer = client.chat.completions.create(
        model="smollm2", messages=_QUESTION, temperature=0, max_tokens=24, stop=stop
    )
    return answer.choices[0].message.content or ""


def test_it_chats(openai: OpenAI) -> None:
    assert "Paris" in _ask(openai)


def test_joined_deltas_equal_the_unary_answer(openai: OpenAI) -> None:
    stream = openai.chat.completions.create(
        model="smollm2",
        messages=_QUESTION,
        temperature=0,
        max_tokens=24,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == _ask(openai)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] in (
        ["stop"],
        ["length"],
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == chunks[-1].usage.prompt_tokens + chunks[-1].usage.completion_tokens


def test_an_alias_serves_the_same_model(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(
        model="gpt-4o-mini",
        messages=_QUESTION,
        temperature=0,
        max_tokens=24,
    )
    assert answer.choices[0].message.content == _ask(openai)


def test_a_stop_string_never_leaks(openai: OpenAI) -> None:
    full = _ask(openai)
    stop = full[len(full) // 2 : len(full) // 2 + 4]
    cut = full[: full.index(stop)]
    assert _ask(openai, stop=stop) == cut
    stream = openai.chat.completions.create(
        model="smollm2",
        messages=_QUESTION,
        temperature=0,
        max_tokens=24,
        stream=True,
        stop=[stop],
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == cut


def test_logprobs_of_the_chosen_tokens(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(
        model="smollm2",
        messages=_QUESTION,
        temperature=0,
        max_tokens=8,
        logprobs=True,
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(entry.token for entry in logprobs.content).startswith(answer.choices[0].message.content or "?")
    assert all(entry.logprob <= 0 for entry in logprobs.content)


def test_n_choices_and_a_seed(openai: OpenAI) -> None:
    def texts() -> list[str | None]:
        answer = openai.chat.completions.create(
            model="smollm2",
            messages=[{"role": "user", "content": "Write one line about rain."}],
            n=3,
            seed=7,
            temperature=1.0,
            max_tokens=16,
        )
        return [choice.message.content for choice in answer.choices]

    first = texts()
    assert len(first) == 3
    assert len(set(first)) > 1
    assert texts() == first


def test_completions_with_several_prompts_and_echo(openai: OpenAI) -> None:
    answer = openai.completions.create(
        model="smollm2", prompt=["The capital of France is", "One, two,"], max_tokens=4, temperature=0, echo=True
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].text.startswith("The capital of France is")
    assert "Paris" in answer.choices[0].text


def test_tokenize_and_detokenize_are_inverse(openai: OpenAI) -> None:
    text = "naïve café — Zürich, 東京 🚀"
    tokens = openai.post("/tokenize", body={"model": "smollm2", "prompt": text}, cast_to=dict[str, object])["tokens"]
    back = openai.post("/detokenize", body={"model": "smollm2", "tokens": tokens}, cast_to=dict[str, object])
    assert text in str(back)


def test_a_prompt_over_the_context_is_refused_with_both_numbers(openai: OpenAI) -> None:
    with pytest.raises(BadRequestError) as raised:
        openai.completions.create(model="smollm2", prompt="word " * 9000, max_tokens=1)
    assert raised.value.code == "context_length_exceeded"
    assert "8192" in raised.value.message


def test_an_unknown_model_is_a_404_that_helps(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError) as raised:
        openai.chat.completions.create(model="smollm", messages=_QUESTION)
    assert raised.value.code == "model_not_found"
    assert "smollm2" in raised.value.message


def test_models_are_listed_with_their_state(openai: OpenAI) -> None:
    models = {model.id: model for model in openai.models.list()}
    assert set(models) == {"smollm2", "gpt-4o-mini", "other"}
    assert models["smollm2"].state == "ready"  # type: ignore[attr-defined]
    assert models["smollm2"].max_model_len == 8192  # type: ignore[attr-defined]


def test_no_character_is_split(openai: OpenAI) -> None:
    stream = openai.completions.create(
        model="smollm2", prompt="😀😃😄😁😆😅🤣😂🙂🙃😉😊😇🥰😍🤩", max_tokens=48, temperature=0, stream=True
    )
    assert "�" not in "".join(chunk.choices[0].text for chunk in stream)


class Weather(BaseModel):
    """How the weather is in a city."""

    city: Literal["Paris", "Rome", "Oslo"]
    unit: Literal["celsius", "fahrenheit"]


_WEATHER: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How warm is it in Paris, in celsius?"}]


def test_a_call_that_must_be_made_is_made(openai: OpenAI) -> None:
    tools = [pydantic_function_tool(Weather)]
    asked: dict[str, Any] = {
        "model": "smollm2",
        "messages": _WEATHER,
        "tools": tools,
        "temperature": 0,
        "max_tokens": 64,
    }
    answer = openai.chat.completions.parse(tool_choice="required", parallel_tool_calls=False, **asked)
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    [call] = choice.message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, Weather)


def test_an_answer_is_parsed_into_a_model(openai: OpenAI) -> None:
    answer = openai.chat.completions.parse(
        model="smollm2", messages=_WEATHER, response_format=Weather, temperature=0, max_tokens=64
    )
    assert isinstance(answer.choices[0].message.parsed, Weather)
