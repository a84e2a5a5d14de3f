"""The core's own plugin: what it offers through the same hooks as everybody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ovms_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from ovms_core.application import AppMiddleware
    from ovms_core.calls.observe import Observer
    from ovms_core.metrics import RequestMetrics
    from ovms_core.models.source import Source
    from ovms_core.routes.route import Route
    from ovms_core.settings import Settings


class CorePlugin:
    """One for each application, since it counts that application's requests."""

    def __init__(self) -> None:
        self._counted: RequestMetrics | None = None

    @hookimpl
    def ovms_register_sources(self) -> Iterable[Source]:
        """Folders and files of this machine."""
        from ovms_core.models.folder import FolderSource

        return [FolderSource()]

    @hookimpl
    def ovms_register_routes(self, settings: Settings) -> Iterable[Route]:
        """What this server is, its models, its health, its metrics and its documentation."""
        from ovms_core.routes import docs, health, index, metrics, models, openapi
        from ovms_core.routes.route import Route

        return [
            Route("GET", "/", index.index),
            Route("GET", "/", index.index, prefixed=True, include_in_schema=False),
            Route("GET", "/models", models.list_models, prefixed=True),
            Route("GET", "/models/{id:path}", models.show_model, prefixed=True),
            Route("GET", "/health", health.health, public=True),
            Route("GET", "/v2/health/live", health.health, public=True),
            Route("GET", "/v2/health/ready", health.ready, public=True),
            Route("GET", "/version", health.version),
            Route("GET", "/metrics", metrics.metrics, media_type="text/plain"),
            Route("GET", "/openapi.json", openapi.show_openapi, include_in_schema=False),
            Route("GET", "/docs", docs.show_docs, include_in_schema=False),
        ]

    @hookimpl(nests="anywhere")
    def ovms_wrap_server(self, settings: Settings) -> AppMiddleware | None:
        """The access log."""
        from ovms_core.http.access_log import AccessLog

        return AccessLog if settings.access_log else None

    @hookimpl
    def ovms_observe(self, settings: Settings) -> Observer:
        """Counts and times requests."""
        return self._requests()

    @hookimpl
    def ovms_register_metrics(self, settings: Settings) -> Iterable[Collector]:
        """What it has counted."""
        return self._requests().collectors

    def _requests(self) -> RequestMetrics:
        from ovms_core.metrics import RequestMetrics

        if self._counted is None:
            self._counted = RequestMetrics()
        return self._counted
