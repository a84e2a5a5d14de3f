"""What is told at the start of events that no guardrail could look into."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from importlib import import_module
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import BaseModel
from tests.core.support import plugin

from ovms_core.plugin import Body, Call, Endpoint, Event
from ovms_core.testing import app_with


class Opaque:
    """Nobody knows what is in it."""


class Page(BaseModel):
    title: str


@dataclass
class Leaf:
    name: str
    at: datetime
    inner: Leaf | None = None


class Clear(Event, tag="clear"):
    text: str
    leaves: list[Leaf]
    page: Page | None
    mode: Literal["a"]
    vector: bytes
    anything: Any = None


class Cloudy(Event, tag="cloudy"):
    leaves: dict[str, Opaque]


class Declared(Event, tag="declared"):
    no_text: ClassVar[tuple[str, ...]] = ("handle",)

    handle: Opaque


def warnings(event: Any) -> list[str]:
    """What the report of a plugin with an endpoint of these events says."""

    async def executing(self: Any, call: Call[Any]) -> AsyncIterator[Any]:
        yield "a"

    executing.__annotations__["return"] = AsyncIterator[event]
    members = {"path": "/talk", "body": Body, "execute": executing, "to_json": lambda self, call, events: None}
    talk = type("Talk", (Endpoint,), members)()
    app = app_with(plugin("talker", ovms_register_endpoints=lambda settings: [talk]))
    return next(report.warnings for report in app.server.plugins if report.name == "talker")


@pytest.mark.parametrize(
    "event",
    [str, Any, object, Clear, Declared, Leaf, Page, dict[str, Any], Clear | str, Annotated[str, 1], list[int], bytes],
)
def test_what_can_be_looked_into_is_no_matter(event: Any) -> None:
    assert warnings(event) == []


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (Opaque, "Opaque"),
        (Cloudy, "Opaque"),
        (Clear | Opaque, "Opaque"),
        (Annotated[list[Fraction], 1], "fractions.Fraction"),
        (deque, "collections.deque"),
    ],
)
def test_a_class_that_guardrails_cannot_look_into_is_named(event: Any, named: str) -> None:
    (warning,) = warnings(event)
    assert f"{named}, which guardrails cannot look into" in warning


def test_no_first_party_plugin_has_such_events() -> None:
    names = ("ovms_llm", "ovms_embeddings", "ovms_rerank", "ovms_imagegen", "ovms_starter")
    app = app_with(*(import_module(f"{name}.hooks") for name in names))
    assert [warning for report in app.server.plugins for warning in report.warnings] == []
