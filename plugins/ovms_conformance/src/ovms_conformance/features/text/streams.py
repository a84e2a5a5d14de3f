"""Chat completions as streams of server-sent events."""

from __future__ import annotations

from typing import Final

from ovms_conformance.feature import Group, Target, expect, expect_fully, skip
from ovms_conformance.features.text.asking import ask, ask_streaming, choices, said, said_in

streams = Group("Chat streams", needs="chat_model")

_BEYOND_ASCII: Final = "😀🎉漢字🦜 "


@streams.feature
def stream(target: Target) -> None:
    """`stream` sends chunks as they come, all with the same `id`, `created` and `model`."""
    received = ask_streaming(target)
    kind = received.headers.get("content-type", "")
    expect(kind.startswith("text/event-stream"), f"the content type is {kind!r}")
    chunks = list(received.documents())
    expect(len(chunks) > 2, "all comes in one piece")
    expect({chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}, "object is not 'chat.completion.chunk'")
    heads = {(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}
    expect_fully(len(heads) == 1, "id, created or model changes on the way")


@streams.feature
def done_at_the_end(target: Target) -> None:
    """The last frame is `data: [DONE]`."""
    expect(ask_streaming(target).is_done, "the last frame is another")


@streams.feature
def role_comes_first(target: Target) -> None:
    """The first chunk carries the role, and only the first."""
    roles = [choice["delta"].get("role") for choice in choices(ask_streaming(target))]
    expect(roles[0] == "assistant", f"the first chunk's role is {roles[0]!r}")
    expect_fully(not any(roles[1:]), "later chunks carry the role again")


@streams.feature
def one_finish_reason(target: Target) -> None:
    """The last chunk of a choice, and only that, has a `finish_reason`."""
    reasons = [choice["finish_reason"] for choice in choices(ask_streaming(target, max_tokens=5))]
    expect(reasons[-1] == "length", f"the last is {reasons[-1]!r}")
    expect_fully(not any(reasons[:-1]), "earlier chunks have one")


@streams.feature
def same_text_as_in_one_piece(target: Target) -> None:
    """The pieces of a stream are the text of the answer in one piece."""
    expect(said_in(ask_streaming(target)) == said(ask(target)), "the texts differ")


@streams.feature
def usage_in_the_stream(target: Target) -> None:
    """`stream_options.include_usage` adds one last chunk with `usage` and no choices."""
    chunks = list(ask_streaming(target, stream_options={"include_usage": True}).documents())
    expect(chunks[-1].get("usage"), "the last chunk has no usage")
    expect_fully(chunks[-1]["choices"] == [], "the chunk with usage has choices")
    expect_fully(not any(chunk.get("usage") for chunk in chunks[:-1]), "earlier chunks have usage too")


@streams.feature
def no_usage_unless_asked_for(target: Target) -> None:
    """Without `include_usage` every chunk has a choice, as clients expect that read `choices[0]`."""
    chunks = list(ask_streaming(target).documents())
    expect(chunks, "there are no chunks")
    expect(all(chunk["choices"] for chunk in chunks), "a chunk has no choices")


@streams.feature
def several_choices_in_one_stream(target: Target) -> None:
    """`n` streams several answers, each with a `finish_reason` of its own."""
    received = choices(ask_streaming(target, n=2, temperature=1))
    ended = sorted(choice["index"] for choice in received if choice["finish_reason"])
    expect(ended == [0, 1], f"the choices that end are {ended} instead of [0, 1]")


@streams.feature
def characters_are_never_split(target: Target) -> None:
    """Characters of several bytes arrive whole, whatever tokens they are made of."""
    body = {"model": target.chat_model, "prompt": _BEYOND_ASCII * 6, "max_tokens": 48, "temperature": 0}
    received = target.server.stream("/completions", body)
    text = "".join(choice["text"] for choice in choices(received))
    expect("\ufffd" not in text.rstrip("\ufffd"), "there are replacement characters in the text")
    if text.isascii():
        skip("the model wrote nothing beyond ASCII")
