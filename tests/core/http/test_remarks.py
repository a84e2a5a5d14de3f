"""What clients say must neither forge a header nor swell it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.core.support import Client, echo, talking

from ovms_core.http.remarks import remarks
from ovms_core.testing import app_with, serving


def ignored(*names: str) -> str:
    return remarks(names, ())["x-ignored-params"]


def test_plain_paths_stand_as_they_are() -> None:
    assert ignored("user", "messages[0].content[1].cache_control") == "user, messages[0].content[1].cache_control"
    assert remarks((), ()) == {}


def test_what_could_forge_a_header_is_escaped() -> None:
    assert ignored("a\r\nset-cookie: x", "b,c", "100%", "é") == "a%0D%0Aset-cookie:%20x, b%2Cc, 100%25, %C3%A9"


def test_sentences_keep_their_spaces_and_commas() -> None:
    assert remarks((), ("Drawn at 256x256, not 1024x1024.", "A|B"))["x-warnings"] == (
        "Drawn at 256x256, not 1024x1024. | A%7CB"
    )


def test_names_are_cut_and_counted() -> None:
    assert ignored(*(f"f{index}" for index in range(1000))).endswith("f31, +968 more")
    assert ignored("x" * 100_000) == "x" * 200 + "..."
    assert ignored(*["é" * 200] * 3) == "+3 more"


@given(st.lists(st.text(st.characters(codec=None)), min_size=1))
def test_any_names_make_one_short_line_of_ascii(names: list[str]) -> None:
    line = ignored(*names).encode("ascii")
    assert len(line) < 1100
    assert line.decode().isprintable()


async def test_a_field_name_that_looks_like_a_header_is_not_one() -> None:
    async with serving(app_with(talking(echo))) as url, Client(url) as client:
        body: dict[str, Any] = {"text": "hi", "a\r\nx-forged: 1": 1}
        answer = await client.say(**body)
        assert answer.headers["x-ignored-params"] == "a%0D%0Ax-forged:%201"
        assert "x-forged" not in answer.headers
