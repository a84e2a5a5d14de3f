"""The plugin's entry point."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import AppMiddleware, Endpoint, Formatter, Parser, Settings

SMALLEST = 1024
"""Bytes from which on compression pays."""


@hookimpl
def ovms_parser(endpoint: Endpoint[Any]) -> Parser | None:
    """Requests may be MessagePack."""
    from ovms_compact.message_pack import parser, speaks_json

    return parser(endpoint) if speaks_json(endpoint) else None


@hookimpl
def ovms_formatter(endpoint: Endpoint[Any]) -> Formatter | None:
    """Answers may be MessagePack."""
    from ovms_compact.message_pack import Packing, speaks_json

    return Packing(endpoint) if speaks_json(endpoint) else None


@hookimpl(nests="anywhere")
def ovms_wrap_app(settings: Settings) -> AppMiddleware | None:
    """Whatever is large is compressed for clients that say that they can read it; streams of events are not."""
    from starlette.middleware.gzip import GZipMiddleware

    return partial(GZipMiddleware, minimum_size=SMALLEST)
