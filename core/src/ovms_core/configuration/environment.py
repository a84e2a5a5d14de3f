"""``OVMS_…`` environment variables as a layer."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from ovms_core.configuration.document import parse
from ovms_core.configuration.errors import ConfigurationError, suggestion
from ovms_core.configuration.layer import Layer
from ovms_core.field_errors import Path
from ovms_core.settings import Settings

_log = logging.getLogger("ovms.configuration")

PREFIX = "OVMS_"
_KEY = "OVMS_API_KEY"
_OTHERS = frozenset({"OVMS_CONFIG", _KEY})

# Kubernetes sets these in every pod for each service, so for one that is called ovms, or ovms-….
_SERVICE_LINK = re.compile(r"OVMS_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")


@dataclass(frozen=True, slots=True)
class Variable:
    """The setting that a variable stands for."""

    path: Path
    annotation: Any


def variables(section: type[BaseModel] = Settings, at: Path = ()) -> Iterator[tuple[str, Variable]]:
    """Every variable by name; ``__`` stands between a section and its key."""
    for name, field in section.model_fields.items():
        path = (*at, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from variables(field.annotation, path)
        else:
            yield PREFIX + "__".join(str(step).upper() for step in path), Variable(path, field.annotation)


def read_environment(environ: Mapping[str, str]) -> Layer:
    """The settings in `environ`. A variable that starts like ours but is none is warned of, no more."""
    known = dict(variables())
    values: dict[str, Any] = {}
    marks: dict[Path, str] = {}
    for name, text in _ours(environ):
        variable = known.get("OVMS_API_KEYS" if name == _KEY else name)
        if variable is not None:
            value = [text] if name == _KEY else _value(name, text, variable.annotation)
            _put(values, variable.path, value)
            marks[variable.path] = name
        elif name not in _OTHERS:
            _log.warning("%s is not a setting.%s", name, suggestion(name, [*known, *_OTHERS]))
    return Layer(values, marks)


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
        values = values.setdefault(str(step), {})
    values[str(path[-1])] = value
