"""What older drafts and OpenAPI write, in the words of draft 2020-12."""

from __future__ import annotations

from typing import Any

from ovms_llm.grammar.json_schema.reading.pointers import join

Schema = dict[str, Any]
Renamed = list[tuple[str, str]]
"""Pairs of pointers: where something stands now, and where the client wrote it."""

NULL = {"type": "null"}


def modern(schema: Schema, old: str, new: str) -> tuple[Schema, Renamed]:
    """One schema (not what is below it) in modern words; `old` and `new` are where it stood and stands."""
    fresh = dict(schema)
    moves = [*_references(fresh), *_tuples(fresh), *_dependencies(fresh)]
    _bounds(fresh, "minimum", "exclusiveMinimum")
    _bounds(fresh, "maximum", "exclusiveMaximum")
    renamed = [(join(new, after), join(old, before)) for after, before in moves]
    if fresh.get("nullable") is True and _nullable(fresh):
        return {"anyOf": [{**fresh, "nullable": False}, NULL]}, [*renamed, (join(new, "anyOf", 0), old)]
    return fresh, renamed


def _references(schema: Schema) -> Renamed:
    for key in ("$dynamicRef", "$recursiveRef"):
        if isinstance(schema.get(key), str):
            schema.setdefault("$ref", schema.pop(key))
            return [("$ref", key)]
    return []


def _tuples(schema: Schema) -> Renamed:
    """Draft 2019-09 and older: a list under `items`, and `additionalItems` for what follows."""
    more = schema.pop("additionalItems", None)
    if not isinstance(schema.get("items"), list):
        return []
    schema["prefixItems"] = schema.pop("items")
    if more is None:
        return [("prefixItems", "items")]
    schema["items"] = more
    return [("prefixItems", "items"), ("items", "additionalItems")]


def _dependencies(schema: Schema) -> Renamed:
    """Draft 7 and older: lists of names and schemas under one keyword."""
    both = schema.pop("dependencies", None)
    if not isinstance(both, dict) or not both:
        return []
    lists = {name: value for name, value in both.items() if isinstance(value, list)}
    schemas = {name: value for name, value in both.items() if name not in lists}
    found = {"dependentRequired": lists, "dependentSchemas": schemas}
    schema.update({key: value for key, value in found.items() if value})
    return [(key, "dependencies") for key, value in found.items() if value]


def _bounds(schema: Schema, bound: str, exclusive: str) -> None:
    """Draft 4 and OpenAPI 3.0: a flag beside the bound."""
    flag = schema.get(exclusive)
    if isinstance(flag, bool):
        del schema[exclusive]
        if flag and bound in schema:
            schema[exclusive] = schema.pop(bound)


def _nullable(schema: Schema) -> bool:
    """Let null through (OpenAPI 3.0); tells whether that takes an alternative around the whole schema."""
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = types if "null" in types else [*types, "null"]
        return False
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            schema[key] = [*schema[key], NULL]
            return False
    return "$ref" in schema or "allOf" in schema
