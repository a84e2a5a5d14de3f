"""The plugin's entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ovms_core.plugin import hookimpl

if TYPE_CHECKING:
    from ovms_core.plugin import Endpoint, Interceptor, Settings
    from ovms_guardrail.settings import GuardrailSettings


@hookimpl
def ovms_settings() -> type[GuardrailSettings]:
    """The section ``plugins.guardrail``."""
    from ovms_guardrail.settings import GuardrailSettings

    return GuardrailSettings


@hookimpl(nests="outside")
def ovms_wrap_execution(endpoint: Endpoint[Any], settings: Settings) -> Interceptor | None:
    """Every endpoint is guarded, whoever wrote it."""
    from ovms_guardrail.guard import Guard
    from ovms_guardrail.settings import GuardrailSettings

    return Guard(settings.plugin(GuardrailSettings).forbidden())
