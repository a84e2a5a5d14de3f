"""The handler of its route forgets that a query parameter may be missing."""

from starlette.responses import JSONResponse

from ovms_core.plugin import Route, hookimpl


async def show(request):
    return JSONResponse({"name": request.query_params["name"]})


@hookimpl
def ovms_register_routes():
    return [Route("GET", "/handler_raises", show)]
