"""A plugin that understands an old field name of another server."""

from typing import Any

from starlette.requests import Request

from ovms_core.plugin import APIError, Call, Endpoint, Parser, hookimpl, require_json, validate_body


async def read_object(request: Request) -> dict[str, Any]:
    require_json(request)
    try:
        document = await request.json()
    except ValueError as error:
        raise APIError(400, f"The request body is not valid JSON: {error}.", code="invalid_json") from None
    if not isinstance(document, dict):
        raise APIError(400, "The request body must be a JSON object.", code="invalid_json")
    return document


@hookimpl
def ovms_parser(endpoint: Endpoint[Any]) -> Parser | None:
    if endpoint.path != "/shout":
        return None

    async def parse(request: Request) -> Call[Any]:
        document = await read_object(request)
        if "sentence" in document:
            document["text"] = document.pop("sentence")
        return endpoint.call(request, *validate_body(document, endpoint.body))

    return parse
