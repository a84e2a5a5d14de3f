"""A plain route: a path and the function that answers there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request: an async function from Starlette's `Request` to a `Response`."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path, and the async function that answers there, for pages that need no model. For the rest use `Endpoint`.

    `path` may have parameters, as Starlette writes them: ``/models/{id:path}``. With `prefixed` it answers under every
    prefix of the server (``/v3``, ``/v1``, ``/v3/v1``). Only what is `public` answers without an API key. The
    handler's docstring describes it in the API's documentation, unless it is not to be `include_in_schema`;
    `media_type` is what its answers are.

    Example::

        async def states(request: Request) -> Response:
            \"\"\"The state of every model.\"\"\"
            return JSONResponse({model.name: model.state for model in request.app.server.models})

        Route("GET", "/admin/states", states)
    """

    method: str
    path: str
    handler: Handler
    public: bool = False
    prefixed: bool = False
    include_in_schema: bool = True
    media_type: str = "application/json"
