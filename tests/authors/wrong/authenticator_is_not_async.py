"""A plain function where an async one belongs."""

from typing import Any

from starlette.requests import HTTPConnection

from ovms_core.plugin import Settings, hookimpl


def owner(connection: HTTPConnection) -> str:
    return "ada"


@hookimpl
def ovms_authenticate(settings: Settings) -> Any:
    return owner
