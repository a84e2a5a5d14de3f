"""What a plugin has open while the server runs."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Any

from ovms_core.diagnostics.tracebacks import awaited_place
from ovms_core.plugin_loading.failure import failure_of
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.plugin_loading.slow import told_if_slow


async def open_life(stack: AsyncExitStack, host: PluginHost, plugin: str, app: object) -> bool:
    """Open what one plugin has open while `app` runs, until the end of `stack`. One that fails is quarantined."""
    try:
        if (context := host.ask(plugin, "ovms_lifespan", app=app)) is not None:
            await _enter(stack, host, plugin, context)
    except (Exception, SystemExit) as error:
        host.quarantine(plugin, failure_of(error, "ovms_lifespan failed"))
        return False
    return True


async def _enter(
    stack: AsyncExitStack, host: PluginHost, plugin: str, context: AbstractAsyncContextManager[Any]
) -> None:
    """Open `context` until the end of `stack`. Where it hangs is logged, and so is a failure to close."""

    async def close(
        kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            return await context.__aexit__(kind, error, trace)
        except Exception as failed:
            if failed is not error:
                failure = failure_of(failed, "ovms_lifespan failed at the end")
                host.warn(plugin, failure)
            return None

    opening: Any = context.__aenter__()
    generator = getattr(context, "gen", None)
    with told_if_slow(plugin, "ovms_lifespan", lambda: awaited_place(opening) or awaited_place(generator)):
        await opening
    stack.push_async_exit(close)
