"""A plugin with a page that shows the state of every model."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ovms_core.plugin import Route, Server, Settings, hookimpl


async def states(request: Request) -> Response:
    """The state of every model."""
    server: Server = request.app.server
    return JSONResponse({model.name: model.state for model in server.models})


@hookimpl
def ovms_register_routes(settings: Settings) -> list[Route]:
    return [Route("GET", "/admin/states", states)]
