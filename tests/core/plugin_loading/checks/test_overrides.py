"""What an endpoint does not override although its author meant to is told at startup."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from starlette.responses import Response
from tests.core.support import plugin

from ovms_core.plugin import Body, Call, Endpoint, Formatter
from ovms_core.testing import app_with


class Plain(Endpoint[Body]):
    path = "/plain"
    body = Body

    async def execute(self, call: Call[Body]) -> AsyncIterator[str]:
        yield "a"


class Slip(Plain):
    def to_jsn(self, call: Call[Body], events: Sequence[str]) -> object:
        return {}


class SlipOfTexts(Plain):
    def text(self, call: Call[Body]) -> list[str]:
        return []

    def to_json(self, call: Call[Body], events: Sequence[str]) -> object:
        return {}


class Sound(Plain):
    def text(self) -> str:
        return ""

    def texts(self, call: Call[Body]) -> Any:
        return iter(())

    async def unary(self, call: Call[Body], events: AsyncIterator[Any]) -> Response:
        return Response()


class Replaced(Formatter):
    async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Response:
        return Response()

    async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        yield b""


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        (Slip(), ["Slip.to_jsn overrides nothing: did you mean 'to_json'?"]),
        (SlipOfTexts(), ["SlipOfTexts.text overrides nothing: did you mean 'texts'?"]),
        (Plain(), ['Plain has no to_json, so its whole answer is {"events": [...]}']),
        (Sound(), []),
    ],
)
def test_a_method_that_is_missing_or_misspelt_is_a_warning(endpoint: Plain, told: list[str]) -> None:
    app = app_with(plugin("plain", ovms_register_endpoints=lambda: [endpoint]))
    warnings = next(report for report in app.server.plugins if report.name == "plain").warnings
    assert [warning[: len(start)] for warning, start in zip(warnings, told, strict=True)] == told
    assert all("test_overrides.py:" in warning for warning in warnings)


def test_a_formatter_of_a_plugin_is_an_answer() -> None:
    hooks = {"ovms_register_endpoints": lambda: [Plain()], "ovms_formatter": lambda: Replaced()}
    app = app_with(plugin("plain", **hooks))
    assert not any(report.warnings for report in app.server.plugins)
