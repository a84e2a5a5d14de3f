"""``GET /`` and every bare prefix: what this server is, and where its parts are."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

import ovms_core
from ovms_core.application import Server
from ovms_core.http.routing import MountedRoute
from ovms_core.routes.mounting import PREFIXES

NAME = "OpenVINO generative AI server"

_LINKS = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "health": "/health",
    "ready": "/v2/health/ready",
    "metrics": "/metrics",
}


async def index(request: Request) -> Response:
    """What this server is, and where its parts are; for browsers, the documentation."""
    vary = {"vary": "accept"}
    path = request.scope["path"].rstrip("/")
    if not path and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("docs", headers=vary)
    prefix = path or PREFIXES[0]
    server: Server = request.app.server
    links = {"models": f"{prefix}/models", **_LINKS}
    endpoints = list(_under(prefix, server.routes))
    document = {"name": NAME, "version": ovms_core.__version__, **links, "endpoints": endpoints}
    return Response(msgspec.json.encode(document), media_type="application/json", headers=vary)


def _under(prefix: str, routes: Iterable[MountedRoute]) -> Iterable[str]:
    """The methods and paths of the endpoints at `prefix`, not those of a longer prefix (``/v3/v1``)."""
    at_hand = [route for route in routes if route.path.startswith(f"{prefix}/") and route.owner != "core"]
    longer = f"{prefix}/v1/"
    return (f"{route.method} {route.path}" for route in at_hand if not route.path.startswith(longer))
