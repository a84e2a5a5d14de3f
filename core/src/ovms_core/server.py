"""What one application is made of, as one object."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ovms_core.http.admission import Admission
    from ovms_core.http.routing import RouteTable
    from ovms_core.loader import PluginReport
    from ovms_core.models.lifecycle import Lifecycle
    from ovms_core.models.registry import Models
    from ovms_core.settings import Settings


@dataclass(slots=True)
class Server:
    """What one application is made of: ``request.app.server`` in a handler, ``app.server`` elsewhere.

    Plugins may read `settings`, `models`, `plugins` and `routes`; the rest is the core's own and can change.
    """

    settings: Settings
    models: Models
    plugins: list[PluginReport]
    """Every plugin, with what became of it."""
    routes: RouteTable
    """Every route: iterate over it."""
    lifecycle: Lifecycle
    admission: Admission
    metrics: CollectorRegistry
    openapi: Mapping[str, Any]
    created: int = field(default_factory=lambda: int(time.time()))
