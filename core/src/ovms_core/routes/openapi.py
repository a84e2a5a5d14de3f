"""``GET /openapi.json``: what the server can do, generated from its endpoints and routes themselves (OpenAPI 3.1)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

import ovms_core
from ovms_core.application import Server
from ovms_core.endpoint import Endpoint, Formatter
from ovms_core.routes.index import NAME
from ovms_core.routes.mounting import PREFIXES
from ovms_core.routes.route import Route

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)[^}]*\}")

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "The JSON path of the field at fault."},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


async def show_openapi(request: Request) -> Response:
    """The document."""
    server: Server = request.app.server
    return Response(msgspec.json.encode(server.openapi), media_type="application/json")


def document(endpoints: Mapping[Endpoint[Any], Formatter], routes: Sequence[Route], *, keyed: bool) -> dict[str, Any]:
    """The OpenAPI document of a server with `endpoints` and `routes`; `keyed` when it asks for API keys.

    Each endpoint comes with what formats its answers.
    """
    bodies, definitions = _bodies(endpoints)
    schemas: dict[str, Any] = {"Error": _ERROR, **definitions}
    paths: dict[str, Any] = {}
    for route in routes:
        if route.include_in_schema:
            there = paths.setdefault(_plain(route.path), {} if route.prefixed else {"servers": [{"url": "/"}]})
            there[route.method.lower()] = _route(route)
    for endpoint, formatter in endpoints.items():
        for path in (endpoint.path, *endpoint.also):
            operation = _operation(endpoint, formatter, path, bodies[endpoint.body], schemas)
            paths.setdefault(_plain(path), {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": NAME, "version": ovms_core.__version__},
        "servers": [{"url": prefix} for prefix in PREFIXES],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}} if keyed else {},
        },
        "security": [{"key": []}] if keyed else [],
    }


def _bodies(endpoints: Iterable[Endpoint[Any]]) -> tuple[dict[type, Any], dict[str, Any]]:
    """The schema of every body, and the definitions that they refer to."""
    unique = list(dict.fromkeys(endpoint.body for endpoint in endpoints))
    found, definitions = models_json_schema([(body, "validation") for body in unique], ref_template=_REF)
    schemas = {body: found[body, "validation"] for body in unique}
    return schemas, definitions.get("$defs", {})


def _route(route: Route) -> dict[str, Any]:
    operation = _described(inspect.getdoc(route.handler) or route.path, route.path, public=route.public)
    operation["operationId"] = f"{_name(route.path)}_{route.method.lower()}"
    operation["responses"] = {"200": {"description": "The answer"}, **_errors(*(() if route.public else ("401",)))}
    return operation


def _operation(
    endpoint: Endpoint[Any], formatter: Formatter, path: str, body: Any, schemas: dict[str, Any]
) -> dict[str, Any]:
    operation = _described(inspect.cleandoc(type(endpoint).__doc__ or path), path, public=endpoint.public)
    operation["operationId"] = _name(path) if endpoint.method == "POST" else f"{_name(path)}_{endpoint.method.lower()}"
    operation["responses"] = {
        "200": {"description": "The answer", "content": _answers(endpoint, formatter, schemas)},
        **_errors("400", "401", "404", "413", "415", "429", "500", "503", "504"),
    }
    if not endpoint.accepts:
        _describe_parameters(operation, schemas[body["$ref"].rpartition("/")[2]], endpoint)
    elif endpoint.method != "GET":
        content = {kind: {"schema": body} for kind in endpoint.accepts}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _described(text: str, path: str, *, public: bool) -> dict[str, Any]:
    """An operation with what `text`, a docstring, says, the parameters of its `path`, and who may use it."""
    summary, _, description = text.partition("\n\n")
    operation: dict[str, Any] = {"summary": " ".join(summary.split())}
    if description:
        operation["description"] = description
    if names := _PARAMETER.findall(path):
        schema = {"in": "path", "required": True, "schema": {"type": "string"}}
        operation["parameters"] = [{"name": name, **schema} for name in names]
    if public:
        operation["security"] = []
    return operation


def _describe_parameters(operation: dict[str, Any], body: dict[str, Any], endpoint: Endpoint[Any]) -> None:
    """Add the parameters of the query: the fields of `body`, but for those of the path."""
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    others = {each["name"] for each in parameters} | (set() if endpoint.task else {"model"})
    required = body.get("required", ())
    parameters += [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in body["properties"].items()
        if name not in others
    ]


def _name(path: str) -> str:
    """`path` as a part of an operation's id: ``models_id`` for ``/models/{id:path}``."""
    return (_plain(path).strip("/") or "index").translate(str.maketrans("/", "_", "{}"))


def _plain(path: str) -> str:
    """`path` as OpenAPI writes its parameters: ``/models/{id}`` for ``/models/{id:path}``."""
    return _PARAMETER.sub(r"{\1}", path)


def _answers(endpoint: Endpoint[Any], formatter: Formatter, schemas: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if endpoint.response is not None:
        (schema,), components = msgspec.json.schema_components(
            [endpoint.response], ref_template="#/components/schemas/{name}"
        )
        schemas.update(components)
        answer["schema"] = schema
    kinds = {"application/json": answer}
    return kinds | ({formatter.stream_media_type.partition(";")[0]: {}} if endpoint.streams else {})


def _errors(*statuses: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": "An error", "content": content} for status in statuses}
