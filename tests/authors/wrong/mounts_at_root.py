"""An application that would take every path."""

from starlette.applications import Starlette

from ovms_core.plugin import Mount, Settings, hookimpl


@hookimpl
def ovms_register_routes(settings: Settings) -> list[Mount]:
    return [Mount("/", Starlette())]
