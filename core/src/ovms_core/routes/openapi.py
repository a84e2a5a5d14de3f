"""``GET /openapi.json``: what the server can do, generated from the endpoints themselves (OpenAPI 3.1)."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from pydantic.json_schema import models_json_schema

import ovms_core
from ovms_core.endpoint import Endpoint
from ovms_core.routes.index import NAME

_REF = "#/components/schemas/{model}"

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

_CORE = {
    "/": ("get", "What this server is, and where its parts are; for browsers, the documentation.", "/"),
    "/models": ("get", "The served models, under all their names.", None),
    "/models/{id}": ("get", "One served model.", None),
    "/health": ("get", "Whether the process is up.", "/"),
    "/v2/health/live": ("get", "Whether the process is up.", "/"),
    "/v2/health/ready": ("get", "Whether every required model is ready.", "/"),
    "/version": ("get", "The versions of the core and of every active plugin.", "/"),
    "/metrics": ("get", "Metrics in the Prometheus text format.", "/"),
}


def document(endpoints: Sequence[Endpoint[Any]], prefixes: Sequence[str], *, keyed: bool) -> dict[str, Any]:
    """The OpenAPI document of a server with `endpoints`; `keyed` when it asks for API keys."""
    bodies, definitions = _bodies(endpoints)
    schemas: dict[str, Any] = {"Error": _ERROR, **definitions}
    paths: dict[str, Any] = {path: _core_path(path) for path in _CORE}
    for endpoint in endpoints:
        for path in (endpoint.path, *endpoint.also):
            operation = _operation(endpoint, path, bodies[endpoint.body], schemas)
            paths.setdefault(path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": NAME, "version": ovms_core.__version__},
        "servers": [{"url": prefix} for prefix in prefixes],
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


def _core_path(path: str) -> dict[str, Any]:
    method, summary, server = _CORE[path]
    name = (path.strip("/") or "index").translate(str.maketrans("/", "_", "{}"))
    operation: dict[str, Any] = {
        "operationId": f"{name}_{method}",
        "summary": summary,
        "responses": {"200": {"description": "The answer"}, **_errors("401")},
    }
    if "{id}" in path:
        operation["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {method: operation} | ({"servers": [{"url": server}]} if server else {})


def _operation(endpoint: Endpoint[Any], path: str, body: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    summary, _, description = inspect.cleandoc(type(endpoint).__doc__ or path).partition("\n\n")
    operation: dict[str, Any] = {
        "operationId": "_".join(path.strip("/").split("/")),
        "summary": " ".join(summary.split()),
        "responses": {
            "200": {"description": "The answer", "content": _answers(endpoint, schemas)},
            **_errors("400", "401", "404", "413", "415", "429", "500", "503", "504"),
        },
    }
    if description:
        operation["description"] = description
    if endpoint.method != "GET":
        content = {kind: {"schema": body} for kind in endpoint.accepts}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.public:
        operation["security"] = []
    return operation


def _answers(endpoint: Endpoint[Any], schemas: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if endpoint.response is not None:
        (schema,), components = msgspec.json.schema_components(
            [endpoint.response], ref_template="#/components/schemas/{name}"
        )
        schemas.update(components)
        answer["schema"] = schema
    kinds = {"application/json": answer}
    return kinds | ({endpoint.media_type.partition(";")[0]: {}} if endpoint.streams else {})


def _errors(*statuses: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": "An error", "content": content} for status in statuses}
