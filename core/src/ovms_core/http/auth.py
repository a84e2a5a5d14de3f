"""API keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from starlette.types import Scope

from ovms_core.errors import APIError


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
        presented = _presented(scope)
        if presented is None:
            raise _refusal("This server needs an API key: send 'Authorization: Bearer KEY'.", "missing_api_key")
        digest = _digest(presented)
        found = [name for name, known in self._digests if hmac.compare_digest(known, digest)]
        if not found:
            raise _refusal("The API key is not valid.", "invalid_api_key")
        return found[0]


def _presented(scope: Scope) -> bytes | None:
    headers: Mapping[bytes, bytes] = scope["ovms.headers"]
    bearer = headers.get(b"authorization", b"")
    if bearer[:7].lower() == b"bearer ":
        return bearer[7:].strip() or None
    other = headers.get(b"x-api-key") or headers.get(b"api-key")
    return (other.strip() or None) if other else None


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _refusal(message: str, code: str) -> APIError:
    return APIError(401, message, code=code, headers={"www-authenticate": 'Bearer realm="ovms"'})
