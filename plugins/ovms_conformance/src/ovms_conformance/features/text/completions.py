"""Text completions, without a chat template."""

from __future__ import annotations

from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully

completions = Group("Completions", needs="chat_model")

_PATH: Final = "/completions"
_PROMPT: Final = "Once upon a time, there was a"


def _body(target: Target, prompt: Any = _PROMPT, **fields: Any) -> dict[str, Any]:
    return {"model": target.chat_model, "prompt": prompt, "max_tokens": 12, "temperature": 0, **fields}


def _complete(target: Target, prompt: Any = _PROMPT, **fields: Any) -> list[Any]:
    choices: list[Any] = target.server.post(_PATH, _body(target, prompt, **fields))["choices"]
    return choices


@completions.feature
def text_prompt(target: Target) -> None:
    """`prompt` as text."""
    document = target.server.post(_PATH, _body(target))
    expect(document["object"] == "text_completion", f"object is {document['object']!r}")
    expect(document["choices"][0]["text"], "the text is empty")
    expect_fully(document["usage"]["completion_tokens"] == 12, "usage does not count the tokens")


@completions.feature
def several_prompts(target: Target) -> None:
    """`prompt` as a list of texts: a choice for each, in their order."""
    both = _complete(target, [_PROMPT, "The capital of France is"])
    expect([choice["index"] for choice in both] == [0, 1], "there are not two choices in order")
    expect_fully(both[0]["text"] == _complete(target)[0]["text"], "the first differs from that of the prompt alone")


@completions.feature
def token_prompt(target: Target) -> None:
    """`prompt` as a list of token ids."""
    expect(_complete(target, [40, 50, 60])[0]["text"], "the text is empty")


@completions.feature
def several_token_prompts(target: Target) -> None:
    """`prompt` as a list of lists of token ids."""
    count = len(_complete(target, [[40, 50, 60], [70, 80]]))
    expect(count == 2, f"{count} choices instead of 2")


@completions.feature
def echo(target: Target) -> None:
    """`echo` puts the prompt before the text."""
    expect(_complete(target, echo=True)[0]["text"].startswith(_PROMPT), "the prompt is not in the text")


@completions.feature
def streamed_completion(target: Target) -> None:
    """`stream` sends the same text in pieces, and then `[DONE]`."""
    stream = target.server.stream(_PATH, _body(target))
    text = "".join(choice["text"] for chunk in stream.documents() for choice in chunk["choices"])
    expect(stream.is_done, "the last frame is not [DONE]")
    expect(text == _complete(target)[0]["text"], "the text is another than in one piece")


@completions.feature
def completion_logprobs(target: Target) -> None:
    """`logprobs: 1` gives `tokens` and `token_logprobs`."""
    logprobs = _complete(target, logprobs=1)[0]["logprobs"]
    expect(len(logprobs["tokens"]) == len(logprobs["token_logprobs"]) > 0, "there are none")


@completions.feature
def completion_stop_string(target: Target) -> None:
    """`stop` ends the text before the string."""
    whole = _complete(target)[0]["text"]
    stop = whole[len(whole) // 2 :][:4]
    text = _complete(target, stop=stop)[0]["text"]
    expect(stop not in text and len(text) <= whole.index(stop), "the stop string, or a part of it, is in the text")
