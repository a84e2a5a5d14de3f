"""A plugin that believes signed tokens, ``NAME.SECONDS.SIGNATURE``, until the time that they name."""

import hashlib
import hmac
import time

from starlette.requests import HTTPConnection

from ovms_core.plugin import APIError, Authenticator, Settings, hookimpl

SECRET = b"read this from a file"


def signature(claim: str) -> str:
    return hmac.new(SECRET, claim.encode(), hashlib.sha256).hexdigest()


async def owner(connection: HTTPConnection) -> str | None:
    token = connection.headers.get("authorization", "").removeprefix("Bearer ")
    claim, _, signed = token.rpartition(".")
    if not hmac.compare_digest(signature(claim).encode(), signed.encode()):
        return None
    name, _, until = claim.rpartition(".")
    if int(until) < time.time():
        raise APIError(401, "The token is no longer valid: ask for a new one.", code="token_expired")
    return name


@hookimpl
def ovms_authenticate(settings: Settings) -> Authenticator | None:
    return owner
