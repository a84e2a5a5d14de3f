"""Liveness and readiness (the last two paths are those of the KServe and Triton protocols)."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

import ovms_core
from ovms_core.errors import APIError
from ovms_core.models.model import State


async def health(request: Request) -> Response:
    """The process is up."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def ready(request: Request) -> Response:
    """Every required model is ready. Raises `APIError` 503 that names those that are not."""
    if request.app.state.admission.draining:
        raise APIError(503, "The server is shutting down.", code="draining", retry_after=5)
    missing = [
        f"{model.name} ({model.state}{f': {model.public_problem}' if model.problem else ''})"
        for model in request.app.state.models
        if model.settings.required and model.state is not State.READY
    ]
    if missing:
        raise APIError(503, f"Not ready: {'; '.join(missing)}.", code="not_ready", retry_after=5)
    return Response(b'{"status":"ready"}', media_type="application/json")


async def version(request: Request) -> Response:
    """The versions of the core and of every active plugin."""
    plugins = {report.name: report.version for report in request.app.state.plugins if report.state == "active"}
    document = {"version": ovms_core.__version__, "plugins": plugins}
    return Response(msgspec.json.encode(document), media_type="application/json")
