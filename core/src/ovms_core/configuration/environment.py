"""``OVMS_…`` environment variables as a layer."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args, get_origin

from pydantic import BaseModel

from ovms_core.configuration.document import parse
from ovms_core.configuration.errors import ConfigurationError, suggestion
from ovms_core.configuration.layer import Layer
from ovms_core.diagnostics.field_errors import Path
from ovms_core.settings import Settings

_log = logging.getLogger("ovms.configuration")

PREFIX = "OVMS_"
_KEY = "OVMS_API_KEY"
_OTHERS = frozenset({"OVMS_CONFIG", _KEY})

# Kubernetes sets these in every pod for each service, so for one that is called ovms, or ovms-….
_SERVICE_LINK = re.compile(r"OVMS_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")

_PLUGINS = f"{PREFIX}PLUGINS__"


class Text(str):
    """What a variable holds whose type is not known yet: the setting of a plugin."""

    def __new__(cls, text: str, *, variable: str) -> Self:
        made = super().__new__(cls, text)
        made.variable = variable
        return made

    variable: str


@dataclass(frozen=True, slots=True)
class Variable:
    """The setting that a variable stands for."""

    path: Path
    annotation: Any


def variables(section: type[BaseModel] = Settings, at: Path = ()) -> Iterator[tuple[str, Variable]]:
    """Every variable by name; ``__`` stands between a section and its key."""
    for name, field in section.model_fields.items():
        path = (*at, name)
        if (inner := _section(field.annotation)) is not None:
            yield from variables(inner, path)
        else:
            yield PREFIX + "__".join(variable_part(str(step)) for step in path), Variable(path, field.annotation)


def variable_part(name: str) -> str:
    """`name` as a part of a variable's name: ``MY_NOTES`` for the plugin ``my-notes``."""
    return re.sub(r"\W", "_", name).upper()


def read_environment(environ: Mapping[str, str], sections: Collection[str] = ()) -> Layer:
    """The settings in `environ`. A variable that starts like ours but is none is warned of, no more.

    `sections` are the plugins' sections that are written elsewhere: theirs are called the same.
    """
    known = dict(variables())
    values: dict[str, Any] = {}
    marks: dict[Path, str] = {}
    for name, text in _ours(environ):
        variable = known.get("OVMS_API_KEYS" if name == _KEY else name)
        if variable is not None:
            value = [text] if name == _KEY else _value(name, text, variable.annotation)
            _put(values, variable.path, value)
            marks[variable.path] = name
        elif (path := _path_in_section(name, sections)) is not None:
            _put(values, path, Text(text, variable=name))
            marks[path] = name
        elif name not in _OTHERS:
            _log.warning("%s is not a setting.%s", name, suggestion(name, [*known, *_OTHERS]))
    return Layer(values, marks)


def _path_in_section(name: str, sections: Collection[str]) -> Path | None:
    """The setting of a plugin that ``OVMS_PLUGINS__NAME__FIELD`` stands for."""
    section, *fields = name.removeprefix(_PLUGINS).split("__")
    if not name.startswith(_PLUGINS) or not fields or not all((section, *fields)):
        return None
    written = next((each for each in sections if variable_part(each) == section), section.lower())
    return ("plugins", written, *(field.lower() for field in fields))


def read_texts(values: Mapping[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    """`values` with every `Text` read as its field in `section` wants it."""
    read = dict(values)
    for name, field in section.model_fields.items():
        value, inner = values.get(name), _section(field.annotation)
        if isinstance(value, Text):
            read[name] = _value(value.variable, value, dict[str, Any] if inner else field.annotation)
        elif inner is not None and isinstance(value, dict):
            read[name] = read_texts(value, inner)
    return read


def _section(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _ours(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if _KEY in environ and "OVMS_API_KEYS" in environ:
        raise ConfigurationError("OVMS_API_KEY and OVMS_API_KEYS are both set: put all keys into OVMS_API_KEYS.")
    for name in sorted(environ):
        text = environ[name].strip()
        if not name.startswith(PREFIX) or _SERVICE_LINK.fullmatch(name):
            continue
        if name.endswith("_PORT") and _SERVICE_URL.match(text):
            _log.warning("%s=%s is from Kubernetes, not a setting: it is ignored.", name, text)
        elif text:
            yield name, text
        elif name.startswith(_KEY):
            # An empty key must not become an open server.
            raise ConfigurationError(f"{name} is empty: set a key, or unset the variable to serve without keys.")


def _value(name: str, text: str, annotation: Any) -> Any:
    if not _holds(annotation, list, dict):
        return text
    if text.startswith(("[", "{")):
        return parse(text, name)[0]
    return [item for item in re.split(r"[\s,]+", text) if item]


def _holds(annotation: Any, *kinds: type) -> bool:
    return get_origin(annotation) in kinds or any(get_origin(part) in kinds for part in get_args(annotation))


def _put(values: dict[str, Any], path: Path, value: Any) -> None:
    for step in path[:-1]:
        inner = values.setdefault(str(step), {})
        if isinstance(inner, Text):
            raise ConfigurationError(f"{inner.variable} and a variable for a part of it are both set: set only one.")
        values = inner
    values[str(path[-1])] = value
