"""Liveness and readiness (the last two paths are those of the KServe and Triton protocols)."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

import ovms_core
from ovms_core.application import Server
from ovms_core.errors import APIError
from ovms_core.models.model import State


async def health(request: Request) -> Response:
    """Whether the process is up."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def ready(request: Request) -> Response:
    """Whether every required model is ready. A 503 names those that are not."""
    server: Server = request.app.server
    if server.admission.draining:
        raise APIError(503, "The server is shutting down.", code="draining", retry_after=5)
    missing = [
        f"{model.name} ({model.state}{f': {model.public_problem}' if model.problem else ''})"
        for model in server.models
        if model.settings.required and model.state is not State.READY
    ]
    if missing:
        raise APIError(503, f"Not ready: {'; '.join(missing)}.", code="not_ready", retry_after=5)
    return Response(b'{"status":"ready"}', media_type="application/json")


async def version(request: Request) -> Response:
    """The versions of the core and of every active plugin."""
    server: Server = request.app.server
    plugins = {report.name: report.version for report in server.plugins if report.state == "active"}
    document = {"version": ovms_core.__version__, "plugins": plugins}
    return Response(msgspec.json.encode(document), media_type="application/json")
