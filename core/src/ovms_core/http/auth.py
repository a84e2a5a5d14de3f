"""Whose request it is: API keys, and what a plugin's authenticator says."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from ovms_core.diagnostics.attribution import Owned
from ovms_core.errors import APIError
from ovms_core.http.errors import unexpected
from ovms_core.http.failures import log_failure

log = logging.getLogger("ovms.http")

Authenticator = Callable[[HTTPConnection], Awaitable[str | None]]
"""Tells who sent a request: an async function that takes Starlette's `HTTPConnection` and returns a name or `None`."""

PATIENCE: Final = 10.0
"""Seconds that an authenticator may take."""


class Keys:
    """The API keys, kept as digests and compared in constant time. With no keys, everybody may come in."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._digests = [(name, _digest(key.encode())) for name, key in keys.items()]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def user(self, scope: Scope) -> str | None:
        """The name of the key that the request carries. Raises `APIError` 401 when it carries none of ours."""
        if not self._digests:
            return None
        return self.known(scope) or _refuse(scope)

    def known(self, scope: Scope) -> str | None:
        """The name of the key that the request carries; `None` when it carries none of ours."""
        presented = _presented(scope)
        if presented is None:
            return None
        digest = _digest(presented)
        found = [name for name, known in self._digests if hmac.compare_digest(known, digest)]
        return found[0] if found else None


class Owners:
    """Whose request it is: by a known key first, then as the authenticator of the plugin `plugin` says.

    Whatever goes wrong with the authenticator, the request is refused.
    """

    def __init__(self, keys: Keys, authenticator: Owned[Authenticator]) -> None:
        self._keys = keys
        self._authenticator = authenticator

    async def owner(self, scope: Scope) -> str:
        """The owner of the request. Raises `APIError` 401 when it has none, and what the authenticator says."""
        return self._keys.known(scope) or await self._asked(scope) or _refuse(scope)

    async def _asked(self, scope: Scope) -> str | None:
        _plugin_at_work = self._authenticator.owner
        try:
            async with asyncio.timeout(PATIENCE) as patience:
                return _checked(await self._authenticator.it(HTTPConnection(scope)))
        except APIError:
            raise
        except Exception as error:
            if patience.expired():
                raise self._too_slow(scope) from None
            log_failure(scope["state"]["request_id"], "ovms_authenticate", error)
            raise unexpected(scope["state"]["request_id"]) from None

    def _too_slow(self, scope: Scope) -> APIError:
        id = scope["state"]["request_id"]
        log.error("request %s: plugin '%s', ovms_authenticate: took over %g s", id, self._authenticator.owner, PATIENCE)
        message = "The server could not authenticate this request in time. Try again."
        return APIError(503, message, code="authentication_timeout", retry_after=1)


def _checked(owner: object) -> str | None:
    if owner is None or (isinstance(owner, str) and owner and owner.isprintable()):
        return owner
    raise TypeError(f"an authenticator returns the owner's name, a printable str, or None for nobody; not {owner!r}")


def _presented(scope: Scope) -> bytes | None:
    headers: Mapping[bytes, bytes] = scope["ovms.headers"]
    bearer = headers.get(b"authorization", b"")
    if bearer[:7].lower() == b"bearer ":
        return bearer[7:].strip() or None
    other = headers.get(b"x-api-key") or headers.get(b"api-key")
    return (other.strip() or None) if other else None


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _refuse(scope: Scope) -> str:
    if _presented(scope) is None:
        message, code = "This server needs an API key: send 'Authorization: Bearer KEY'.", "missing_api_key"
    else:
        message, code = "The API key is not valid.", "invalid_api_key"
    raise APIError(401, message, code=code, headers={"www-authenticate": 'Bearer realm="ovms"'})
