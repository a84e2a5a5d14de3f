"""The plugin's entry point."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Endpoint, Interceptor, Settings


@hookimpl(nests="outside")
def ovms_wrap_execution(endpoint: Endpoint[Any], settings: Settings) -> Interceptor | None:
    """Every endpoint is guarded, whoever wrote it."""
    from ovms_guardrail.guard import Guard, configured_words

    return Guard(configured_words(os.environ))
