"""The file of tokens is not there when the server starts."""

from pathlib import Path

from ovms_core.plugin import Authenticator, Settings, hookimpl


@hookimpl
def ovms_authenticate(settings: Settings) -> Authenticator | None:
    Path("/no/such/tokens").read_text()
    return None
