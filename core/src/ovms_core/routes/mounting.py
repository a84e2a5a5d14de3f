"""Where endpoints and plain routes stand."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ovms_core.endpoint import Endpoint
from ovms_core.routes.route import Handler, Route

PREFIXES = ("/v3", "/v1", "/v3/v1")
"""Where endpoints stand: OpenVINO Model Server's prefix, OpenAI's, and the first with a client's own ``/v1``."""


def endpoint_paths(endpoint: Endpoint[Any]) -> list[str]:
    """Every path at which `endpoint` answers, each once."""
    paths = (endpoint.path, *endpoint.also)
    prefixes = (*PREFIXES, "") if endpoint.bare else PREFIXES
    return list(dict.fromkeys(prefix + path for prefix in prefixes for path in paths))


def route_paths(route: Route) -> list[str]:
    """Every path at which `route` answers; that of ``/`` under a prefix is the prefix."""
    return [(prefix + route.path).rstrip("/") or "/" for prefix in (PREFIXES if route.prefixed else ("",))]


def as_app(handler: Handler) -> ASGIApp:
    """`handler` as an ASGI application."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handler(Request(scope, receive))
        await response(scope, receive, send)

    return answer
