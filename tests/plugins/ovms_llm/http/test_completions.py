from __future__ import annotations

from typing import Any

import pytest
from openai.types import Completion
from tests.plugins.ovms_llm.http.conftest import Server, chunks_of, error_of, joined

from ovms_core.plugin import APIError
from ovms_llm.messages import Delta, Sampling, Started, Text, Tokens


async def test_an_answer_is_what_the_official_client_expects(server: Server) -> None:
    response = await server.complete(n=2, logprobs=1)
    answer = Completion.model_validate_json(response.content, strict=True)
    assert answer.id.startswith("cmpl-")
    assert answer.object == "text_completion"
    assert [choice.text for choice in answer.choices] == ["Hello wörld!"] * 2
    assert response.json()["choices"][0]["logprobs"] == {
        "tokens": ["Hello", " w", "", "örld", "!"],
        "token_logprobs": [0.0, -0.5, -1.0, -1.5, -2.0],
        "top_logprobs": [{"Hello": 0.0}, {" w": -0.5}, {"": -1.0}, {"örld": -1.5}, {"!": -2.0}],
        "text_offset": [0, 5, 7, 7, 11],
    }


async def test_logprobs_of_zero_tell_no_alternatives(server: Server) -> None:
    logprobs = (await server.complete(logprobs=0)).json()["choices"][0]["logprobs"]
    assert logprobs["top_logprobs"] is None
    assert len(logprobs["token_logprobs"]) == 5


async def test_chunks_are_text_completions_too(server: Server) -> None:
    fields: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, usage = chunks_of(await server.complete(**fields))
    for chunk in chunks:
        assert chunk["object"] == "text_completion"
        assert chunk["usage"] is None
    assert joined(chunks) == "Hello wörld!"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert usage["usage"]["total_tokens"] == 10


async def test_streamed_offsets_go_on_where_the_last_chunk_ended(server: Server) -> None:
    chunks = chunks_of(await server.complete(stream=True, logprobs=0))
    told = [choice["logprobs"] for chunk in chunks for choice in chunk["choices"] if choice["logprobs"]]
    assert [offset for each in told for offset in each["text_offset"]] == [0, 5, 7, 7, 11]


PROMPTS: list[tuple[Any, list[Any]]] = [
    ("a", [Text("a")]),
    (["a", "b"], [Text("a"), Text("b")]),
    ([1, 2.0], [Tokens([1, 2])]),
    ([[1], [2, 3]], [Tokens([1]), Tokens([2, 3])]),
]


@pytest.mark.parametrize(("prompt", "expected"), PROMPTS)
async def test_every_prompt_is_a_request_of_its_own(server: Server, prompt: Any, expected: list[Any]) -> None:
    response = await server.complete(prompt=prompt, n=2)
    assert [request.prompt for request in server.runner.requests] == expected
    assert [choice["index"] for choice in response.json()["choices"]] == list(range(2 * len(expected)))
    assert response.json()["usage"]["prompt_tokens"] == 5 * len(expected)


async def test_choices_are_told_apart_prompt_by_prompt(server: Server) -> None:
    server.runner.script = lambda request: [
        Started(1),
        *(Delta(index, f"{request.prompt.text}{index}", [1], None, "length") for index in range(2)),
    ]
    whole = (await server.complete(prompt=["a", "b"], n=2)).json()["choices"]
    assert [choice["text"] for choice in whole] == ["a0", "a1", "b0", "b1"]
    chunks = chunks_of(await server.complete(prompt=["a", "b"], n=2, stream=True))
    assert [joined(chunks, index) for index in range(4)] == ["a0", "a1", "b0", "b1"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_echo_comes_before_every_choice(server: Server, stream: bool) -> None:
    response = await server.complete(prompt=["a", "b"], n=2, echo=True, stream=stream)
    choices = response.json()["choices"] if not stream else []
    texts = [joined(chunks_of(response), at) for at in range(4)] if stream else [choice["text"] for choice in choices]
    assert texts == ["PROMPT Hello wörld!"] * 4


async def test_a_suffix_reaches_the_engine(server: Server) -> None:
    await server.complete(suffix="end", add_special_tokens=False)
    assert server.asked.prompt == Text("Hi", "end", add_special_tokens=False)


async def test_sixteen_tokens_are_the_default(server: Server) -> None:
    await server.complete()
    assert server.asked.sampling == Sampling(max_tokens=16)


async def test_a_minimum_over_the_default_raises_it(server: Server) -> None:
    await server.complete(min_tokens=20)
    assert server.asked.sampling == Sampling(max_tokens=20, min_tokens=20)


async def test_no_limit_is_none_rather_than_the_default(server: Server) -> None:
    await server.complete(max_tokens=-1)
    assert server.asked.sampling == Sampling()


async def test_no_tokens_and_an_echo_ask_for_the_prompt_alone(server: Server) -> None:
    assert (await server.complete(max_tokens=0, echo=True)).status_code == 200
    assert (server.asked.echo, server.asked.sampling) == (True, Sampling(max_tokens=0))


async def test_timings_of_prompts_side_by_side_are_the_longest(server: Server) -> None:
    timings = (await server.complete(prompt=["a", "b"], timings=True)).json()["timings"]
    assert (timings["prefill_ms"], timings["tokens_per_second"]) == (3.0, 100.0)


@pytest.mark.parametrize(
    ("prompt", "param"),
    [([1, 9], "prompt[1]"), ([[1, 9]], "prompt[0][1]"), ([[1], [1, 9]], "prompt[1][1]"), (["a", "b"], "n")],
)
async def test_an_error_of_the_engine_names_the_prompt(server: Server, prompt: Any, param: str) -> None:
    refusal = APIError(400, "no", param="n" if param == "n" else "prompt[1]")
    server.runner.script = lambda request: [refusal if request.prompt != Tokens([1]) else Started(1)]
    assert error_of(await server.complete(prompt=prompt))["param"] == param


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"prompt": None}, "prompt", "missing_field"),
    ({"prompt": 5}, "prompt", "invalid_value"),
    ({"prompt": []}, "prompt", "invalid_value"),
    ({"prompt": [[]]}, "prompt[0]", "invalid_value"),
    ({"prompt": ["a", 1]}, "prompt[1]", "invalid_value"),
    ({"prompt": [1, "a"]}, "prompt[1]", "invalid_value"),
    ({"prompt": [-1]}, "prompt[0]", "invalid_value"),
    ({"prompt": [[1], ["a"]]}, "prompt[1][0]", "invalid_value"),
    ({"prompt": [1, 2**40]}, "prompt[1]", "invalid_value"),
    ({"prompt": [True]}, "prompt[0]", "invalid_value"),
    ({"prompt": ["a"] * 129}, "prompt", "invalid_value"),
    ({"prompt": ["a"] * 100, "n": 11}, "n", "invalid_value"),
    ({"echo": True, "logprobs": 0}, "logprobs", "unsupported_parameter"),
    ({"logprobs": 2}, "logprobs", "unsupported_parameter"),
    ({"logprobs": True}, "logprobs", "invalid_value"),
    ({"prompt": [1], "suffix": "x"}, "suffix", "invalid_value"),
    ({"echo": True, "suffix": "x"}, "echo", "invalid_value"),
    ({"logit_bias": {"1": 1}}, "logit_bias", "unsupported_parameter"),
    ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    ({"max_tokens": -2}, "max_tokens", "invalid_value"),
    ({"max_tokens": 0, "echo": True, "min_tokens": 1}, "min_tokens", "invalid_value"),
    ({"stop": [str(number) for number in range(65)]}, "stop", "invalid_value"),
    ({"max_token": 1}, "max_token", "unknown_field"),
    ({"min_tokens": 17, "max_tokens": 16}, "min_tokens", "invalid_value"),
    ({"stream_options": {}}, "stream_options", "invalid_value"),
]


@pytest.mark.parametrize(("fields", "param", "code"), REFUSED)
async def test_what_is_wrong_is_refused_with_its_path(
    server: Server, fields: dict[str, Any], param: str, code: str
) -> None:
    error = error_of(await server.complete(**fields))
    assert (error["param"], error["code"]) == (param, code)
