"""``GET /openapi.json``: what the server can do, generated from its endpoints and routes themselves (OpenAPI 3.1)."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import count, islice
from typing import Any

import msgspec
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from starlette.requests import Request
from starlette.responses import Response

import ovms_core
from ovms_core.application import Server
from ovms_core.calls.endpoint import Endpoint, Formatter
from ovms_core.request_body.body import Body
from ovms_core.routes.index import NAME
from ovms_core.routes.mounting import PREFIXES
from ovms_core.routes.route import Route

log = logging.getLogger("ovms.openapi")

_REF = "#/components/schemas/"
_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_KINDS: dict[str, dict[str, str]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
}
_LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_ERROR_NAME = "ovms.Error"  # no class has a dot in its name

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
    answers, components = _answers(endpoints, definitions)
    schemas: dict[str, Any] = {_ERROR_NAME: _ERROR, **definitions, **components}
    paths: dict[str, Any] = {}
    for route in routes:
        if route.include_in_schema:
            there = paths.setdefault(_plain(route.path), {} if route.prefixed else {"servers": [{"url": "/"}]})
            there[route.method.lower()] = _route(route)
    for endpoint, formatter in endpoints.items():
        for path in (endpoint.path, *endpoint.also):
            operation = _operation(endpoint, path, bodies[endpoint.body], schemas)
            operation["responses"]["200"]["content"] = _content(endpoint, formatter, answers)
            paths.setdefault(_plain(path), {})[endpoint.method.lower()] = operation
    _number_clashing_ids(paths)
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
    try:
        found, definitions = _schemas(unique)
    except PydanticInvalidForJsonSchema:
        found, definitions = _schemas(filter(_has_schema, unique))
    schemas = {body: found.get((body, "validation"), {"type": "object"}) for body in unique}
    return schemas, definitions.get("$defs", {})


def _schemas(bodies: Iterable[type[Body]]) -> tuple[dict[Any, Any], dict[str, Any]]:
    return models_json_schema(
        [(body, "validation") for body in bodies], ref_template=_REF + "{model}", schema_generator=_Schemas
    )


class _Schemas(GenerateJsonSchema):
    """Calls the limits of a number that has a validator of its own, such as an `Int`, as JSON Schema does.

    pydantic leaves them as ``ge`` and ``le`` there.
    """

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """The JSON Schema of a part."""
        metadata = schema.get("metadata") or {}
        if updates := metadata.get("pydantic_js_updates"):
            named = {_LIMITS.get(name, name): value for name, value in updates.items()}
            schema = {**schema, "metadata": {**metadata, "pydantic_js_updates": named}}
        return super().generate_inner(schema)


def _has_schema(body: type[Body]) -> bool:
    """Whether JSON Schema can say what is in it; says in the log what is wrong with one of which it cannot."""
    try:
        body.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        name = f"{body.__module__}.{body.__qualname__}"
        message = "The fields of %s are left out of /openapi.json, since pydantic makes no schema of them: %s"
        log.warning(message, name, str(error).partition("\n")[0])
        return False
    return True


def _answers(endpoints: Iterable[Endpoint[Any]], taken: Container[str]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The schema of every whole answer, and the components that they refer to, under none of the names in `taken`."""
    unique = list(dict.fromkeys(endpoint.response for endpoint in endpoints if _can_be_described(endpoint)))
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF + "{name}")
    names = {name: f"{name}.Answer" if name in taken else name for name in components}
    refs = {_REF + name: _REF + new for name, new in names.items()}
    renamed = {names[name]: _referring(schema, refs) for name, schema in components.items()}
    return dict(zip(unique, (_referring(schema, refs) for schema in schemas), strict=True)), renamed


def _can_be_described(endpoint: Endpoint[Any]) -> bool:
    """Whether its answers have a type with a schema; says in the log what is wrong with one that has none."""
    if endpoint.response is None:
        return False
    try:
        msgspec.json.schema_components([endpoint.response])
    except TypeError as error:
        name = f"{type(endpoint).__module__}.{type(endpoint).__qualname__}"
        log.warning("%s.response is left out of /openapi.json, since msgspec makes no schema of it: %s", name, error)
        return False
    return True


def _referring(schema: Any, refs: Mapping[str, str]) -> Any:
    """`schema` with other references."""
    if isinstance(schema, dict):
        return {key: refs[value] if key == "$ref" else _referring(value, refs) for key, value in schema.items()}
    if isinstance(schema, list | tuple):
        return [_referring(item, refs) for item in schema]
    return refs.get(schema, schema) if isinstance(schema, str) else schema  # a discriminator's mapping has them bare


def _number_clashing_ids(paths: Mapping[str, Mapping[str, Any]]) -> None:
    """Give each operation an id of its own, where two paths make the same."""
    seen: set[str] = set()
    for operations in paths.values():
        for method, operation in operations.items():
            if method == "servers":
                continue
            wanted = operation["operationId"]
            others = (f"{wanted}_{number}" for number in count(2))
            operation["operationId"] = next(id for id in (wanted, *islice(others, len(seen) + 1)) if id not in seen)
            seen.add(operation["operationId"])


def _route(route: Route) -> dict[str, Any]:
    operation = _described(inspect.getdoc(route.handler) or route.path, route.path, public=route.public)
    operation["operationId"] = f"{_name(route.path)}_{route.method.lower()}"
    answer = {"description": "The answer", "content": {route.media_type.partition(";")[0]: {}}}
    operation["responses"] = {"200": answer, **_errors(*(() if route.public else ("401",)))}
    return operation


def _operation(endpoint: Endpoint[Any], path: str, body: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    operation = _described(inspect.cleandoc(type(endpoint).__doc__ or path), path, public=endpoint.public)
    operation["operationId"] = _name(path) if endpoint.method == "POST" else f"{_name(path)}_{endpoint.method.lower()}"
    of_bodies = ("413", "415") if endpoint.accepts and endpoint.method != "GET" else ()
    operation["responses"] = {
        "200": {"description": "The answer"},
        **_errors("400", "401", "404", *of_bodies, "429", "500", "503", "504"),
    }
    if not endpoint.accepts:
        _describe_parameters(operation, schemas[body["$ref"].rpartition("/")[2]], endpoint)
    else:
        content = {kind: {"schema": body} for kind in endpoint.accepts}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _described(text: str, path: str, *, public: bool) -> dict[str, Any]:
    """An operation with what `text`, a docstring, says, the parameters of its `path`, and who may use it."""
    summary, _, description = text.partition("\n\n")
    operation: dict[str, Any] = {"summary": " ".join(summary.split())}
    if description:
        operation["description"] = description
    if parameters := _PARAMETER.findall(path):
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": _KINDS.get(kind, {"type": "string"})}
            for name, kind in parameters
        ]
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


def _content(endpoint: Endpoint[Any], formatter: Formatter, answers: Mapping[Any, Any]) -> dict[str, Any]:
    """What a whole answer is, and what a stream."""
    schema = {"schema": answers[endpoint.response]} if endpoint.response in answers else {}
    whole = dict.fromkeys(endpoint.gives, schema)
    return whole | ({formatter.stream_media_type.partition(";")[0]: {}} if endpoint.streams else {})


def _errors(*statuses: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REF + _ERROR_NAME}}}
    return {status: {"description": "An error", "content": content} for status in statuses}
