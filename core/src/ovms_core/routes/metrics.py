"""``GET /metrics``."""

from __future__ import annotations

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from ovms_core.application import Server


async def metrics(request: Request) -> Response:
    """All metrics in the Prometheus text format."""
    server: Server = request.app.server
    return Response(generate_latest(server.metrics), media_type=CONTENT_TYPE_LATEST)
