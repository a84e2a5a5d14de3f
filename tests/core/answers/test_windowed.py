from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from itertools import groupby
from typing import Any, ClassVar, Literal, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from ovms_core.plugin import Event, windowed

PATTERN = re.compile(r"(?<!\w)(?:secret|abc|ab)(?!\w)")
N = len("secret")


class Said(Event, tag="said"):
    text: str
    index: int = 0
    finish_reason: str | None = None


class Line(Event, tag="line"):
    text: str


class Tick(Event, tag="tick"):
    at: int


async def stream(events: Iterable[Any]) -> AsyncGenerator[Any, None]:
    for event in events:
        yield event


async def redacted(events: Iterable[Any]) -> list[Any]:
    return [event async for event in redacting(stream(events))]


async def redacting(
    events: AsyncGenerator[Any, None], n: int = N, pattern: re.Pattern[str] = PATTERN
) -> AsyncGenerator[Any, None]:
    async with aclosing(windowed(events, n)) as windows:
        async for window in windows:
            for match in pattern.finditer(window.text, window.start):
                window.replace(*match.span(), "[gone]")
            for event in window.release():
                yield event


def joined(events: Iterable[Any], index: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, Said) and event.index == index)


fragments = st.sampled_from(["secret", "sec", "ret", "s", "aba", "ab", "a", " ", "x", "é", ""])
patterns = st.sampled_from([(PATTERN, N), (re.compile(r"(?<!\w)aba(?!\w)"), 3), (re.compile("aba|ab"), 3)])


@settings(max_examples=400)
@given(st.lists(fragments, min_size=1, max_size=16), patterns, st.integers(0, 2), st.booleans())
async def test_the_result_does_not_depend_on_the_borders_of_events(
    pieces: Sequence[str], looked_for: tuple[re.Pattern[str], int], more: int, ends: bool
) -> None:
    pattern, longest = looked_for
    events = [Said(piece) for piece in pieces]
    if ends:
        events[-1].finish_reason = "stop"
    out = [event async for event in redacting(stream(events), longest + more, pattern)]
    assert joined(out) == pattern.sub("[gone]", "".join(pieces))
    assert len(out) == len(events)


async def test_a_word_in_three_events_is_replaced_in_the_first_of_them() -> None:
    out = await redacted([Said("the sec"), Said("re"), Said("t is out")])
    assert [event.text for event in out] == ["the [gone]", "", " is out"]


async def test_a_part_of_a_longer_word_is_left_alone_wherever_the_border_is() -> None:
    assert joined(await redacted([Said("secret"), Said("ary")])) == "secretary"
    assert joined(await redacted([Said("un"), Said("x" * 40), Said("secret")])) == "un" + "x" * 40 + "secret"


async def test_only_the_last_characters_are_held_back() -> None:
    seen: list[str] = []
    sent = 0
    source = stream(Said(character) for character in "a" * 50)

    async def counted() -> AsyncGenerator[Any, None]:
        nonlocal sent
        async for event in source:
            sent += 1
            yield event
            assert sent - len(seen) <= N

    async for event in redacting(counted()):
        seen += [event.text]
    assert len(seen) == 50


async def test_every_choice_has_a_window_of_its_own() -> None:
    out = await redacted([Said("sec", 0), Said("abc sec", 1), Said("ret", 0), Said("retary", 1)])
    assert joined(out, 0) == "[gone]"
    assert joined(out, 1) == "[gone] secretary"


async def test_a_choice_that_finishes_is_released_at_once() -> None:
    source = stream([Said("the sec"), Said("ret", finish_reason="stop"), Tick(1), Said("other", 1)])
    async with aclosing(redacting(source)) as events:
        assert [(await anext(events)).text for _ in range(2)] == ["the [gone]", ""]


async def test_events_keep_their_order_with_those_that_have_no_text() -> None:
    events = [Tick(0), Said("a" * 20), Tick(1), Said("b" * 20, 1), Tick(2), Line("c"), Tick(3)]
    assert await redacted(events) == events


async def test_an_event_that_does_not_change_is_passed_on_as_it_is() -> None:
    event = Said("nothing here", finish_reason="stop")
    (out,) = await redacted([event])
    assert out is event


async def test_events_without_an_index_are_one_stream() -> None:
    assert await redacted([Line("a secr"), Line("et")]) == [Line("a [gone]"), Line("")]


async def test_closing_the_windows_closes_the_events() -> None:
    closed = False

    async def endless() -> AsyncGenerator[Any, None]:
        nonlocal closed
        try:
            while True:
                yield Said("la ")
        finally:
            closed = True

    async with aclosing(redacting(endless())) as events:
        await anext(events)
    assert closed


async def test_what_the_events_raise_is_raised_and_nothing_held_leaks() -> None:
    async def failing() -> AsyncGenerator[Any, None]:
        yield Said("secr")
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        await anext(redacting(failing()))


async def test_any_iterator_can_be_windowed() -> None:
    class Plain:
        def __init__(self) -> None:
            self._left = [Said("sec"), Said("ret")]

        def __aiter__(self) -> Plain:
            return self

        async def __anext__(self) -> Any:
            if not self._left:
                raise StopAsyncIteration
            return self._left.pop(0)

    texts = [event.text async for window in windowed(Plain(), N) for event in window.release()]
    assert texts == ["sec", "ret"]


async def test_long_texts_are_forgotten_once_they_are_out() -> None:
    longest = 0
    async for window in windowed(stream(Said("la ") for _ in range(1000)), N):
        longest = max(longest, len(window.text))
        list(window.release())
    assert longest <= 2 * N + 2 * len("la ")


@pytest.mark.parametrize("span", [(0, 0), (3, 2), (-1, 2), (0, 99)])
async def test_a_span_that_is_none_is_refused(span: tuple[int, int]) -> None:
    async for window in windowed(stream([Said("secret", finish_reason="stop")]), N):
        with pytest.raises(ValueError, match=r"no span of what can still be replaced, which is 0 to 6"):
            window.replace(*span, "x")
        break


async def test_replacing_twice_in_one_place_is_refused() -> None:
    async for window in windowed(stream([Said("secret", finish_reason="stop")]), N):
        window.replace(0, 6, "x")
        with pytest.raises(ValueError, match="from left to right"):
            window.replace(0, 6, "y")
        break


async def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 character"):
        await anext(windowed(stream([]), 0))


class Thought(Event, tag="thought"):
    stream_members: ClassVar[tuple[str, ...]] = ("channel",)

    text: str
    channel: str = "content"
    index: int = 0
    finish_reason: str | None = None


class Called(Event, tag="called"):
    text_member: ClassVar[str] = "arguments"
    stream_members: ClassVar[tuple[str, ...]] = ("call",)

    call: int
    arguments: str = ""
    index: int = 0


def said_in(events: Iterable[Any], channel: str) -> str:
    return "".join(event.text for event in events if isinstance(event, Thought) and event.channel == channel)


async def test_text_in_another_member_is_read_and_replaced_there() -> None:
    out = await redacted([Called(0, '{"a": "sec'), Called(0, 'ret"}')])
    assert [event.arguments for event in out] == ['{"a": "[gone]', '"}']


async def test_every_stream_of_a_choice_has_a_window_of_its_own() -> None:
    events = [Called(0, "sec"), Called(0, "ret"), Called(1, "sec"), Called(1, "recy"), Thought("secr"), Thought("et")]
    out = await redacted(events)
    assert [event.arguments for event in out[:4]] == ["[gone]", "", "sec", "recy"]
    assert said_in(out, "content") == "[gone]"


async def test_a_text_is_not_found_across_the_border_of_two_channels() -> None:
    out = await redacted([Thought("sec", "reasoning"), Thought("ret", "content")])
    assert out == [Thought("sec", "reasoning"), Thought("ret", "content")]


async def test_a_thought_is_released_whole_once_the_answer_begins() -> None:
    source = stream([Thought("a secret", "reasoning"), Thought("b" * 20)])
    async with aclosing(redacting(source)) as events:
        assert (await anext(events)).text == "a [gone]"


async def test_a_thought_is_released_whole_when_its_choice_finishes() -> None:
    source = stream(
        [Thought("a secret", "reasoning"), Thought("", finish_reason="length"), Tick(1), Thought("x", index=1)]
    )
    async with aclosing(redacting(source)) as events:
        assert [getattr(await anext(events), "text", None) for _ in range(3)] == ["a [gone]", "", None]


async def test_an_event_without_text_does_not_end_the_channel_before_it() -> None:
    out = await redacted([Thought("sec", "reasoning"), Thought(""), Called(0), Thought("ret", "reasoning")])
    assert said_in(out, "reasoning") == "[gone]"


async def test_a_channel_that_comes_again_is_read_on() -> None:
    events = [Thought("secret", "reasoning"), Thought("ab "), Thought(" secret", "reasoning"), Thought("ab")]
    out = await redacted(events)
    assert (said_in(out, "reasoning"), said_in(out, "content")) == ("[gone] [gone]", "[gone] [gone]")


channelled = st.lists(st.tuples(st.sampled_from(["reasoning", "content", "call"]), fragments), min_size=1, max_size=16)


@settings(max_examples=200)
@given(channelled)
async def test_a_stretch_of_one_stream_is_read_as_if_it_came_in_one_event(said: list[tuple[str, str]]) -> None:
    word = re.compile("secret|aba")
    events = [Called(0, text) if where == "call" else Thought(text, where) for where, text in said]
    out = [event async for event in redacting(stream(events), N, word)]
    spoken = [(where, text) for where, text in said if text]
    for where in ("reasoning", "content", "call"):
        stretches = [list(group) for own, group in groupby(spoken, key=lambda each: each[0]) if own == where]
        wanted = "".join(word.sub("[gone]", "".join(text for _, text in stretch)) for stretch in stretches)
        assert (calls_in(out) if where == "call" else said_in(out, where)) == wanted
    assert len(out) == len(events)


def calls_in(events: Iterable[Any]) -> str:
    return "".join(event.arguments for event in events if isinstance(event, Called))


# -- texts of their own


class Named(NamedTuple):
    name: str
    score: float


class Part(msgspec.Struct):
    text: str
    label: str = ""


@dataclass(frozen=True)
class Report:
    title: str
    at: datetime
    parts: tuple[Part, ...] = ()


class Page(BaseModel):
    model_config = ConfigDict(extra="allow")

    body: str


class Kind(StrEnum):
    SECRET = "secret"


class Labelled(Event, tag="labelled"):
    labels: list[str]
    best: Named | None = None
    scores: dict[str, float] = msgspec.field(default_factory=dict)
    report: Report | None = None
    page: Page | None = None
    anything: Any = None


class Marked(Event, tag="marked"):
    no_text: ClassVar[tuple[str, ...]] = ("id",)

    id: str
    kind: Kind
    mode: Literal["secret", "open"]
    data: bytes
    sizes: list[int]
    finish_reason: str | None = None


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ("a secret", "a [gone]"),
        (["a", "secret"], ["a", "[gone]"]),
        ({"a": {"b": ["secret", 1]}}, {"a": {"b": ["[gone]", 1]}}),
        ({"secret": 1}, {"[gone]": 1}),
        ({"text": "a secret"}, {"text": "a [gone]"}),
        (("secret", {"x"}), ("[gone]", {"x"})),
        (Labelled(["a", "a secret"]), Labelled(["a", "a [gone]"])),
        (Labelled([], Named("secret", 0.5)), Labelled([], Named("[gone]", 0.5))),
        (Labelled([], scores={"secret": 1.0}), Labelled([], scores={"[gone]": 1.0})),
        (
            Labelled([], report=Report("secret", NOON, (Part("a secret", "secret"),))),
            Labelled([], report=Report("[gone]", NOON, (Part("a [gone]", "[gone]"),))),
        ),
        (Labelled([], page=Page(body="secret")), Labelled([], page=Page(body="[gone]"))),
        (Labelled([], anything=[{"x": "secret"}]), Labelled([], anything=[{"x": "[gone]"}])),
        (Report("secret", NOON), Report("[gone]", NOON)),
        (Page(body="secret"), Page(body="[gone]")),
        (Page.model_validate({"body": "a", "secret": 1}), Page.model_validate({"body": "a", "[gone]": 1})),
        (
            Page.model_validate({"body": "a", "more": ["secret"]}),
            Page.model_validate({"body": "a", "more": ["[gone]"]}),
        ),
    ],
    ids=repr,
)
async def test_every_string_of_an_event_is_looked_at(event: Any, wanted: Any) -> None:
    assert await redacted([event]) == [wanted]


async def test_what_is_no_text_is_left_alone() -> None:
    event = Marked("secret", Kind.SECRET, "secret", b"secret", [1], "secret")
    (out,) = await redacted([event])
    assert out is event


async def test_an_event_whose_texts_of_their_own_do_not_change_is_passed_on_as_it_is() -> None:
    event = Labelled(["a"], Named("b", 1.0), {"c": 2.0}, Report("d", NOON, (Part("e"),)), Page(body="f"), {"g": ["h"]})
    (out,) = await redacted([event])
    assert out is event


async def test_a_text_of_its_own_waits_for_nothing() -> None:
    async with aclosing(redacting(stream([Labelled(["sec"]), Labelled(["ret"])]))) as events:
        assert await anext(events) == Labelled(["sec"])


async def test_a_string_is_found_by_itself_and_across_strings() -> None:
    assert await redacted(["hello", "secret", "plan"]) == ["hello", "[gone]", "plan"]
    assert await redacted(["a sec", "ret"]) == ["a [gone]", ""]
    assert await redacted([{"text": "a sec", "index": 0}, {"text": "ret", "index": 0}]) == [
        {"text": "a [gone]", "index": 0},
        {"text": "", "index": 0},
    ]


async def test_bytes_are_looked_at_where_they_are_a_text_in_utf8() -> None:
    assert await redacted([b"a,secret\n", b"b,sec", b"ret\n"]) == [b"a,[gone]\n", b"b,[gone]", b"\n"]
    assert await redacted(["é secret".encode()[1:] + "é".encode()[:1]]) == [b"\xa9 [gone]\xc3"]
    sound = [b"\xff\xfb secret", b"\0 secret"]
    assert await redacted(sound) == sound


async def test_a_window_says_where_its_text_stands() -> None:
    event = Labelled(["a"], report=Report("b", NOON, (Part("c"),)), anything={"d": "e"})
    members = [window.member async for window in windowed(stream([event, Said("f"), "g"]), N)]
    assert members[:5] == ["labels[0]", "report.title", "report.parts[0].text", "anything.d", "anything.d"]
    assert {"text", ""} <= set(members[5:])


class Whole(Event, tag="whole"):
    text_member: ClassVar[str | None] = None

    text: str


async def test_a_class_may_say_that_its_text_is_no_stretch_of_a_stream() -> None:
    assert await redacted([Whole("x"), Whole("secret"), Whole("y")]) == [Whole("x"), Whole("[gone]"), Whole("y")]


class Token(msgspec.Struct):
    text_member: ClassVar[str | None] = "token"

    token: str
    length: int = 0

    def with_text(self, text: str) -> Token:
        return Token(text, len(text))


class Spoken(Event, tag="spoken"):
    text: str
    tokens: list[Token] | None = None
    index: int = 0
    finish_reason: str | None = None


async def test_pieces_inside_of_events_are_a_stream_beside_the_text() -> None:
    events = [Spoken("", [Token("the sec", 7)]), Spoken("the ", []), Spoken("secret", [Token("ret", 3), Token(".", 1)])]
    out = await redacted([*events, Spoken(".", finish_reason="stop")])
    assert "".join(event.text for event in out) == "the [gone]."
    assert [event.tokens for event in out] == [[Token("the [gone]", 10)], [], [Token("", 0), Token(".", 1)], None]


async def test_pieces_of_each_choice_are_a_stream_and_end_with_it() -> None:
    events = [
        Spoken("a", [Token("sec")]),
        Spoken("b", [Token("sec")], 1),
        Spoken("", [Token("ret")], 0, "stop"),
        Tick(1),
    ]
    async with aclosing(redacting(stream(events))) as out:
        assert (await anext(out)).tokens == [Token("[gone]", 6)]


class Over(Event, tag="over"):
    index: int
    finish_reason: Literal["stop"] = "stop"


async def test_an_event_without_a_text_can_end_its_choice() -> None:
    async with aclosing(redacting(stream([Said("a secret"), Over(0), Said("more", 1)]))) as out:
        assert (await anext(out)).text == "a [gone]"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (object(), "in an event of type builtins.object"),
        ([Fraction(1)], r"in '\[0\]' of type fractions.Fraction"),
        (
            Labelled([], anything={"x": iter("secret")}),
            "in 'anything.x' of type builtins.str_ascii_iterator.*Labelled.no_text if it holds no text",
        ),
    ],
)
async def test_what_cannot_be_looked_into_does_not_get_out(event: Any, told: str) -> None:
    before = "x" * 20
    async with aclosing(redacting(stream([Said(before), event]))) as out:
        with pytest.raises(TypeError, match=told):
            await anext(out)
