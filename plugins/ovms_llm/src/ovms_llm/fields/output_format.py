"""The request fields that say what an answer must look like.

OpenAI's ``response_format`` (https://platform.openai.com/docs/guides/structured-outputs), vLLM's ``structured_outputs``
and its older ``guided_…`` (https://docs.vllm.ai/en/latest/features/structured_outputs.html), llama.cpp's
``json_schema`` and ``grammar``, and structural tags as OpenVINO Model Server takes them. They mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from pydantic import model_validator

from ovms_core.plugin import APIError, Json, Part, fault
from ovms_llm.fields.strings import strings
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.guides import Enforced, Kind, Output, format_of
from ovms_llm.grammar.limits import Limits

MAX_CHOICES: Final = 10_000
_STRUCTURED: Final[dict[str, Kind]] = {
    "json": "json_schema",
    "regex": "regex",
    "choice": "choice",
    "grammar": "grammar",
    "json_object": "json_object",
    "structural_tag": "structural_tag",
}
_OLDER: Final[dict[str, Kind]] = {
    "guided_json": "json_schema",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
    "json_schema": "json_schema",
    "grammar": "grammar",
}
_WITHOUT_EFFECT: Final = ("guided_decoding_backend", "guided_whitespace_pattern")
_TAGS: Final = ("sequence", "or", "tag", "triggered_tags", "tags_with_separator", "const_string", "any_text")
_RESPONSE_FORMATS: Final = ("text", "json_object", "json_schema", "regex", "grammar", "choice", "structural_tag")


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """What an answer must look like, said by the field `param`."""

    param: str
    output: Output

    def enforced(self, limits: Limits) -> Enforced:
        """The format for the engine, and the paths in the request of what it does not enforce.

        May take a while. Raises `APIError` 400 with the path of what cannot be.
        """
        try:
            made = format_of(self.output, limits)
        except GrammarError as error:
            raise refusal(error, self.param) from None
        return Enforced(made.format, tuple(self.param + pointer for pointer in made.unenforced))


class OutputFields(Part):
    """The fields of a body for its output format."""

    response_format: dict[str, Json] | None = None
    structured_outputs: dict[str, Json] | None = None
    guided_json: Json = None
    guided_regex: Json = None
    guided_choice: Json = None
    guided_grammar: Json = None
    guided_decoding_backend: Json = None
    guided_whitespace_pattern: Json = None
    json_schema: Json = None
    grammar: Json = None

    @model_validator(mode="after")
    def _asks_for_one_form(self) -> OutputFields:
        given = [each.param for each in self.output_formats()]
        if len(given) > 1:
            first, second = given[:2]
            raise fault(f"'{first}' and '{second}' exclude each other: send one of them.", field=second)
        return self

    @property
    def output(self) -> OutputFormat | None:
        """What the answer must look like; `None` leaves it free."""
        return next(self.output_formats(), None)

    def ignored_output_fields(self) -> Iterator[str]:
        """The paths of fields that change nothing: how a grammar is enforced is the server's affair."""
        yield from (name for name in _WITHOUT_EFFECT if getattr(self, name) is not None)
        if self.structured_outputs:
            yield from (f"structured_outputs.{name}" for name in self.structured_outputs if name not in _STRUCTURED)

    def output_texts(self) -> Iterator[str]:
        """Every text of the format: the answer may have to have it."""
        for wanted in self.output_formats():
            yield from strings(wanted.output.value)

    def output_formats(self) -> Iterator[OutputFormat]:
        """What each of the fields asks for; more than one is refused."""
        if self.response_format is not None and (found := said(self.response_format, "response_format")) is not None:
            yield found
        for name, kind in _STRUCTURED.items():
            if self.structured_outputs and self.structured_outputs.get(name) not in (None, False):
                yield _checked(f"structured_outputs.{name}", kind, self.structured_outputs[name])
        for name, kind in _OLDER.items():
            if (value := getattr(self, name)) not in (None, ""):
                yield _checked(name, kind, value)


def said(given: Mapping[str, Any], path: str) -> OutputFormat | None:
    """What a response format that stands at `path` asks for; `None` for text."""
    kind = given.get("type")
    if kind not in _RESPONSE_FORMATS and kind not in _TAGS:
        known = ", ".join(_RESPONSE_FORMATS)
        _refuse(f"The type of a response format must be one of {known} (got {kind!r:.60}).", f"{path}.type")
    match kind:
        case "text":
            return None
        case "json_object":
            return _json_object(given, path)
        case "json_schema":
            return _json_schema(given, path)
        case "regex":
            name = "pattern" if "regex" not in given and "pattern" in given else "regex"
            return _checked(f"{path}.{name}", kind, given.get(name))
        case "grammar" | "choice":
            return _checked(f"{path}.{kind}", kind, given.get(kind))
    return OutputFormat(path, Output("structural_tag", given))


def _json_object(given: Mapping[str, Any], path: str) -> OutputFormat:
    """Any object; llama.cpp's form of it has a schema."""
    if given.get("schema") is None:
        return OutputFormat(path, Output("json_object"))
    return _checked(f"{path}.schema", "json_schema", given["schema"])


def _json_schema(given: Mapping[str, Any], path: str) -> OutputFormat:
    """Chat's form; that of responses and llama.cpp; and XGrammar's, which is the schema itself."""
    if "json_schema" not in given and "schema" in given:
        return _checked(f"{path}.schema", "json_schema", given["schema"], _strict(given, path))
    path, inner = f"{path}.json_schema", given.get("json_schema")
    if not isinstance(inner, Mapping):
        _refuse("A response format of type 'json_schema' needs 'json_schema', an object with 'schema'.", path)
    if "schema" in inner:
        return _checked(f"{path}.schema", "json_schema", inner["schema"], _strict(inner, path))
    if "name" in inner or not inner:
        _refuse("The schema is missing: put it into 'schema'.", f"{path}.schema")
    return _checked(path, "json_schema", inner)


def _strict(given: Mapping[str, Any], path: str) -> bool:
    strict = given.get("strict")
    if strict is not None and not isinstance(strict, bool):
        _refuse("'strict' must be true or false.", f"{path}.strict")
    return strict is not False


def _checked(param: str, kind: Kind, value: Any, strict: bool = True) -> OutputFormat:
    """The format that `value` asks for, as far as that is seen at once."""
    match kind:
        case "json_schema":
            value = _schema(param, value)
        case "regex" | "grammar":
            if not isinstance(value, str) or not value:
                _refuse(f"'{param}' must be a string that is not empty.", param)
        case "choice":
            if not _is_choice(value):
                _refuse(f"'{param}' must be a list of 1 to {MAX_CHOICES} different strings that are not empty.", param)
        case "json_object":
            if value is not True:
                _refuse(f"'{param}' must be true or false.", param)
    return OutputFormat(param, Output(kind, value, strict))


def _schema(param: str, value: Any) -> Any:
    """A schema, which vLLM also takes as text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            _refuse(f"'{param}' is not a JSON schema: {error}.", param)
    if not isinstance(value, dict | bool):
        _refuse(f"'{param}' must be a JSON schema, an object.", param)
    return value


def _is_choice(value: Any) -> bool:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHOICES:
        return False
    return all(isinstance(each, str) and each for each in value) and len(set(value)) == len(value)


def _refuse(message: str, field: str) -> NoReturn:
    raise fault(message, field=field)


def refusal(error: GrammarError, path: str) -> APIError:
    """The 400 for what stands at `path` in the request."""
    message = f"{error.message[:1].upper()}{error.message[1:]}"
    return APIError(400, message.removesuffix(".") + ".", param=path + error.pointer, code="invalid_value")
