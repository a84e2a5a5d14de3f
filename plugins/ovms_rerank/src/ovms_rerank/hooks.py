"""The plugin's entry point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Endpoint, Settings, Task


@hookimpl
def ovms_register_tasks() -> Iterable[Task]:
    from ovms_rerank.task import RERANK

    return [RERANK]


@hookimpl
def ovms_register_endpoints(settings: Settings) -> Iterable[Endpoint[Any]]:
    from ovms_rerank.http.rerank import Rerank
    from ovms_rerank.http.score import Scores

    return [Rerank(), Scores()]
