"""A plugin that knows the users of a file of tokens: a line each, ``NAME TOKEN``."""

import hashlib
import os
from pathlib import Path

from starlette.requests import HTTPConnection

from ovms_core.plugin import Authenticator, Settings, hookimpl


class TokenFile:
    def __init__(self, file: Path) -> None:
        lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
        self._owners = {digest(token): name for name, token in lines}

    async def __call__(self, connection: HTTPConnection) -> str | None:
        token = connection.headers.get("authorization", "").removeprefix("Bearer ")
        return self._owners.get(digest(token))


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@hookimpl
def ovms_authenticate(settings: Settings) -> Authenticator | None:
    return TokenFile(Path(os.environ["TOKEN_FILE"]))
