"""``GET /docs``: the API as one page of HTML that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ovms_core.application import Server

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font-family: ui-monospace, monospace; font-size: .9em }
pre { padding: .75rem; border: 1px solid #8884; border-radius: .4rem; overflow-x: auto }
summary { cursor: pointer; padding: .4rem 0 } summary code { font-weight: 600 }
details { border-bottom: 1px solid #8884 } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-top: 1px solid #8882 }
.method { display: inline-block; min-width: 3.5rem; font-weight: 600 }
"""


async def show_docs(request: Request) -> Response:
    """The page."""
    server: Server = request.app.server
    return HTMLResponse(page(server.openapi))


def page(document: Mapping[str, Any]) -> str:
    """The OpenAPI `document` as HTML."""
    title = escape(document["info"]["title"])
    prefixes = ", ".join(f"<code>{escape(server['url'])}</code>" for server in document["servers"])
    operations = "".join(
        _operation(path, method, operation, document)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "servers"
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        "<meta name=viewport content='width=device-width'>"
        f"<h1>{title} {escape(document['info']['version'])}</h1>"
        f"<p>Paths stand under {prefixes}. The same as data: <a href='openapi.json'>openapi.json</a>.</p>"
        f"{operations}</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], document: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    fields = "".join(_fields(next(iter(content.values()))["schema"], document)) if content else ""
    table = f"<table><tr><th>Field<th>Type<th>Default<th>Meaning{fields}</table>" if fields else ""
    description = f"<pre>{escape(operation['description'])}</pre>" if "description" in operation else ""
    return (
        f"<details><summary><span class=method>{method.upper()}</span> <code>{escape(path)}</code> "
        f"{escape(operation['summary'])}</summary>{description}{table}</details>"
    )


def _fields(schema: dict[str, Any], document: Mapping[str, Any]) -> Iterable[str]:
    resolved = _resolve(schema, document)
    required = resolved.get("required", ())
    for name, field in resolved.get("properties", {}).items():
        default = "required" if name in required else _code(field.get("default"))
        yield (
            f"<tr><td><code>{escape(name)}</code><td>{escape(_type(field))}<td>{default}"
            f"<td>{escape(field.get('description', ''))}"
        )


def _code(value: Any) -> str:
    return "" if value is None else f"<code>{escape(str(value))}</code>"


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if choices := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(choice) for choice in choices if choice.get("type") != "null"))
    if "enum" in field or "const" in field:
        return " | ".join(map(str, field.get("enum", [field.get("const")])))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("type", "any"))


def _resolve(schema: dict[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
