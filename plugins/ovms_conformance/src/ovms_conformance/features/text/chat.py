"""Chat completions in one piece."""

from __future__ import annotations

from ovms_conformance.feature import Group, Target, expect, expect_fully, skip
from ovms_conformance.features.text.asking import PATH, QUESTION, ask, question, said

chat = Group("Chat completions", needs="chat_model")


@chat.feature
def answer(target: Target) -> None:
    """An answer has `id`, `object`, `created`, `model`, and a choice with a message of the assistant."""
    document = ask(target)
    choice = document["choices"][0]
    expect(document["object"] == "chat.completion", f"object is {document['object']!r}")
    expect(choice["message"]["role"] == "assistant", "the role is not 'assistant'")
    expect(said(document), "the answer is empty")
    expect_fully(document["id"] and document["model"], "id or model is empty")
    expect_fully(isinstance(document["created"], int), "created is no whole number")
    expect_fully(choice["finish_reason"] in {"stop", "length"}, f"finish_reason is {choice['finish_reason']!r}")


@chat.feature
def usage(target: Target) -> None:
    """`usage` counts the tokens of prompt and answer, and their sum."""
    usage = ask(target)["usage"]
    expect(usage["prompt_tokens"] > 0 < usage["completion_tokens"], "a count is zero")
    total = usage["prompt_tokens"] + usage["completion_tokens"]
    expect(usage["total_tokens"] == total, f"total_tokens is {usage['total_tokens']}, not {total}")


@chat.feature
def max_tokens(target: Target) -> None:
    """`max_tokens` bounds the answer, whose `finish_reason` is then `length`."""
    document = ask(target, max_tokens=5)
    expect(document["usage"]["completion_tokens"] == 5, f"{document['usage']['completion_tokens']} tokens instead of 5")
    reason = document["choices"][0]["finish_reason"]
    expect_fully(reason == "length", f"finish_reason is {reason!r}")


@chat.feature
def max_completion_tokens(target: Target) -> None:
    """`max_completion_tokens`, the newer name, bounds the answer too."""
    count = ask(target, max_tokens=None, max_completion_tokens=5)["usage"]["completion_tokens"]
    expect(count == 5, f"{count} tokens instead of 5")


@chat.feature
def several_choices(target: Target) -> None:
    """`n` asks for several answers at once."""
    indexes = sorted(choice["index"] for choice in ask(target, n=3, temperature=1)["choices"])
    expect(indexes == [0, 1, 2], f"choices {indexes} instead of [0, 1, 2]")


@chat.feature
def content_parts(target: Target) -> None:
    """A message's content may be a list of text parts; one part means the same as its text."""
    part = {"type": "text", "text": QUESTION}
    expect(said(ask(target, [part])) == said(ask(target)), "the answer is another than to the text")
    expect_fully(said(ask(target, [part, part])), "the answer to two parts is empty")


@chat.feature
def all_roles(target: Target) -> None:
    """Messages may have the roles `system`, `developer`, `user` and `assistant`."""
    turns = [("user", "Hello."), ("assistant", "Hello! What is your name?"), ("user", "Ann.")]
    for role in ("system", "developer"):
        messages = [{"role": each, "content": text} for each, text in ((role, "You are brief."), *turns)]
        answer = target.server.send_json(PATH, {**question(target), "messages": messages})
        expect_fully(answer.status == 200, f"{role}: {answer.status}: {answer.message}")
        expect(said(answer.json()), "the answer is empty")


@chat.feature
def null_means_default(target: Target) -> None:
    """A field that is `null` counts as left out."""
    nothing = dict.fromkeys(("top_p", "stop", "n", "seed", "logprobs", "tools", "response_format", "stream"))
    expect(said(ask(target, **nothing)) == said(ask(target)), "the answer is another than without the field")


@chat.feature
def context_length_is_kept(target: Target) -> None:
    """A prompt that is longer than the model reads is a 400 with the code `context_length_exceeded`."""
    listed = {model["id"]: model for model in target.server.get("/models")["data"]}
    length = listed.get(target.chat_model, {}).get("max_model_len")
    if not length or length > 200_000:
        skip("the list of models does not tell max_model_len, or it is very large")
    answer = target.server.send_json(PATH, question(target, "word " * (length + 1)))
    expect(answer.status == 400, f"{answer.status} instead of 400")
    code = answer.json()["error"].get("code")
    expect_fully(code == "context_length_exceeded", f"the code is {code!r}")
