"""``GET /metrics``."""

from __future__ import annotations

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from ovms_core.application import Server


async def metrics(request: Request) -> Response:
    """All metrics in the Prometheus text format."""
    server: Server = request.app.server
    return Response(server.metrics.text(), media_type=CONTENT_TYPE_LATEST)
