"""Cross-origin requests of browsers (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from ovms_core.errors import APIError

log = logging.getLogger("ovms.http")

_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[\w.:[\]-]{1,200}", re.ASCII | re.IGNORECASE)


class Cors(CORSMiddleware):
    """Starlette's, but a preflight that is refused has the one error shape."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a browser that asks whether it may."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        message = f"{bytes(response.body).decode()}: the server's setting cors_origins does not allow it."
        body = APIError(response.status_code, message, code="cors_refused").document()
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return Response(body, response.status_code, headers | {"content-type": "application/json"})


def is_preflight(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser asks if a page of another origin may send a request: it sends no key with it."""
    return method == "OPTIONS" and b"access-control-request-method" in headers


class NoCors:
    """Says what to set to a browser that asks where no other origin may call, and once to the log."""

    def __init__(self) -> None:
        self._logged = False

    def refuse(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Raise `APIError` 400 if this is a preflight."""
        if not is_preflight(method, headers):
            return
        origin = headers.get(b"origin", b"").decode("latin-1")
        shown = origin if _ORIGIN.fullmatch(origin) else "another origin"
        how = f'cors_origins: ["{shown if shown == origin else "https://app.example.org"}"]'
        message = f"Pages of {shown} may not call this server: its setting cors_origins is empty."
        if not self._logged:
            self._logged = True
            log.warning("%s To allow it, add to ovms.yaml: %s", message, how)
        raise APIError(400, f"{message} Its operator can allow it with {how}.", code="cors_refused")
