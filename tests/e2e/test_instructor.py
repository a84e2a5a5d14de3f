"""`instructor`, where it is installed: it wants an older `openai` client than the other tests run with."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI
from tests.e2e.test_openai_structured import Room

instructor: Any = pytest.importorskip("instructor", reason="instructor is tried by hand: pip install instructor")

pytestmark = pytest.mark.real

_ASKED: dict[str, Any] = {
    "model": "smollm2",
    "messages": [{"role": "user", "content": "A room."}],
    "response_model": Room,
    "max_retries": 0,
    "max_tokens": 96,
    "temperature": 0,
}


@pytest.mark.parametrize("mode", ["TOOLS", "TOOLS_STRICT", "JSON_SCHEMA"])
def test_an_answer_is_of_the_class(openai: OpenAI, mode: str) -> None:
    client = instructor.from_openai(openai, mode=instructor.Mode[mode])
    assert isinstance(client.chat.completions.create(**_ASKED), Room)


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_partial_answers_grow_to_the_whole(openai: OpenAI, mode: str) -> None:
    client = instructor.from_openai(openai, mode=instructor.Mode[mode])
    *_, last = client.chat.completions.create_partial(**_ASKED)
    assert Room.model_validate(last.model_dump())
