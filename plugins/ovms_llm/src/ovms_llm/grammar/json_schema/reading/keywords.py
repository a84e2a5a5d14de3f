"""The keywords of JSON Schema, draft 2020-12 (https://json-schema.org/draft/2020-12/json-schema-validation)."""

from __future__ import annotations

from typing import Final

TYPES: Final = ("object", "array", "string", "number", "integer", "boolean", "null")

# Where schemas stand: one, a list of them, or a map of them.
ONE: Final = frozenset(
    {"additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})

OF_OBJECTS: Final = frozenset(
    {"properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"}
    | {"maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties"}
)
OF_ARRAYS: Final = frozenset(
    {"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains"}
    | {"unevaluatedItems"}
)
OF_STRINGS: Final = frozenset({"minLength", "maxLength", "pattern", "format"})
OF_NUMBERS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
OF_ALL: Final = frozenset({"type", "enum", "const", "not", "if", "then", "else"})

CONSTRAINTS: Final = OF_OBJECTS | OF_ARRAYS | OF_STRINGS | OF_NUMBERS | OF_ALL
PLAIN: Final = (CONSTRAINTS | {"$ref"}) - ONE - MANY - NAMED

# What tells about a value, or about the schema itself, and binds nothing.
ANNOTATIONS: Final = frozenset(
    {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "discriminator"}
    | {"contentEncoding", "contentMediaType", "contentSchema", "xml", "externalDocs", "$comment", "$vocabulary"}
    | {"$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "nullable", "strict", "name"}
)

KINDS: Final = {"object": OF_OBJECTS, "array": OF_ARRAYS, "string": OF_STRINGS, "number": OF_NUMBERS}

# Formats that are enforced; all others are annotations, as the specification has it.
FORMATS: Final = frozenset(
    {"date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"}
)
