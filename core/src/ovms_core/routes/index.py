"""``GET /`` and every bare prefix: what this server is, and where its parts are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

import ovms_core
from ovms_core.http.routing import Route

NAME = "OpenVINO generative AI server"

_LINKS = {
    "docs": "/docs",
    "openapi": "/openapi.json",
    "health": "/health",
    "ready": "/v2/health/ready",
    "metrics": "/metrics",
}


def index(prefix: str) -> Callable[[Request], Awaitable[Response]]:
    """What answers at `prefix`, or at the top with the endpoints under `prefix`."""

    async def show(request: Request) -> Response:
        """The server's name, version and routes. A browser at the top is sent to the documentation."""
        vary = {"vary": "accept"}
        if request.scope["path"].strip("/") == "" and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("docs", headers=vary)
        endpoints = list(_under(prefix, request.app.state.routes.routes))
        links = {"models": f"{prefix}/models", **_LINKS}
        document = {"name": NAME, "version": ovms_core.__version__, **links, "endpoints": endpoints}
        return Response(msgspec.json.encode(document), media_type="application/json", headers=vary)

    return show


def _under(prefix: str, routes: Iterable[Route]) -> Iterable[str]:
    """The methods and paths of the endpoints at `prefix`, not those of a longer prefix (``/v3/v1``)."""
    at_hand = [route for route in routes if route.path.startswith(f"{prefix}/") and route.owner != "core"]
    longer = f"{prefix}/v1/"
    return (f"{route.method} {route.path}" for route in at_hand if not route.path.startswith(longer))
