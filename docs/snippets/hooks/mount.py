"""A plugin with an application of its own under a path."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ovms_core.plugin import Mount, Settings, hookimpl


async def page(request: Request) -> Response:
    return PlainTextResponse("The studio")


@hookimpl
def ovms_register_routes(settings: Settings) -> list[Mount]:
    return [Mount("/studio", Starlette(routes=[Route("/", page)]))]
