"""The library that checks values against schemas, with patterns that cannot take for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema_rs

BACKTRACKS = 10_000

Patterns = jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions


def built(schema: Any) -> jsonschema_rs.Draft202012Validator:
    """The validator of a modern schema; raises `ValueError` for one that it cannot be built of.

    Patterns take linear time; those with lookaround cannot, and may go back so many times.
    """
    try:
        return _with(schema, jsonschema_rs.RegexOptions())
    except ValueError:
        return _with(schema, jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS))


def _with(schema: Any, patterns: Patterns) -> jsonschema_rs.Draft202012Validator:
    with panics_as_errors():
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, pattern_options=patterns, offline=True)


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """A panic in the library is no `Exception`: it would end the server."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"the validator failed: {error}") from error
