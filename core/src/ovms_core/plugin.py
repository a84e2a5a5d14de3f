"""What plugins import in the server. The names in `__all__` are stable.

Each name is imported when it is first asked for, so that a plugin's `hooks.py`, which needs little more
than `hookimpl`, stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ovms_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from ovms_core.answers import sse
    from ovms_core.answers.windowed import Window, windowed
    from ovms_core.application import Application, AppMiddleware, Server
    from ovms_core.calls.endpoint import (
        Call,
        Endpoint,
        Executor,
        Formatter,
        Interceptor,
        Parser,
        Proceed,
    )
    from ovms_core.calls.observe import Observer, Outcome
    from ovms_core.errors import APIError
    from ovms_core.http.auth import Authenticator
    from ovms_core.http.headers import header_text
    from ovms_core.messages import Event, Request
    from ovms_core.model_files import ModelFiles
    from ovms_core.models.call_models import CallModels
    from ovms_core.models.model import Model
    from ovms_core.models.registry import Models
    from ovms_core.models.source import FetchProgress, Offer, Source, SourceError
    from ovms_core.off_loop import give_way, off_loop
    from ovms_core.request_body.body import Body, Int, Json, Part, decode_body, fault, validate_body
    from ovms_core.request_body.reading import read_json, require_json
    from ovms_core.routes.route import AnyRoute, Mount, Route, WebSocketRoute
    from ovms_core.settings import ModelName, ModelSettings, Settings, TaskOptions
    from ovms_core.task import Task

_HOMES = {
    "application": ("AppMiddleware", "Application", "Server"),
    "request_body.body": ("Body", "Int", "Json", "Part", "decode_body", "fault", "validate_body"),
    "calls.endpoint": (
        "Call",
        "Endpoint",
        "Executor",
        "Formatter",
        "Interceptor",
        "Parser",
        "Proceed",
    ),
    "request_body.reading": ("read_json", "require_json"),
    "errors": ("APIError",),
    "http.auth": ("Authenticator",),
    "http.headers": ("header_text",),
    "messages": ("Event", "Request"),
    "model_files": ("ModelFiles",),
    "models.call_models": ("CallModels",),
    "models.model": ("Model",),
    "models.registry": ("Models",),
    "models.source": ("Offer", "FetchProgress", "Source", "SourceError"),
    "calls.observe": ("Observer", "Outcome"),
    "off_loop": ("give_way", "off_loop"),
    "routes.route": ("AnyRoute", "Mount", "Route", "WebSocketRoute"),
    "settings": ("ModelName", "ModelSettings", "Settings", "TaskOptions"),
    "answers.sse": ("sse",),
    "task": ("Task",),
    "answers.windowed": ("Window", "windowed"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"ovms_core.{_HOME_OF[name]}")
    value = home if name == "sse" else getattr(home, name)  # that is a module by itself
    globals()[name] = value
    return value


__all__ = [
    "APIError",
    "AnyRoute",
    "AppMiddleware",
    "Application",
    "Authenticator",
    "Body",
    "Call",
    "CallModels",
    "Endpoint",
    "Event",
    "Executor",
    "FetchProgress",
    "Formatter",
    "Int",
    "Interceptor",
    "Json",
    "Model",
    "ModelFiles",
    "ModelName",
    "ModelSettings",
    "Models",
    "Mount",
    "Observer",
    "Offer",
    "Outcome",
    "Parser",
    "Part",
    "Proceed",
    "Request",
    "Route",
    "Server",
    "Settings",
    "Source",
    "SourceError",
    "Task",
    "TaskOptions",
    "WebSocketRoute",
    "Window",
    "decode_body",
    "fault",
    "give_way",
    "header_text",
    "hookimpl",
    "off_loop",
    "read_json",
    "require_json",
    "sse",
    "validate_body",
    "windowed",
]
