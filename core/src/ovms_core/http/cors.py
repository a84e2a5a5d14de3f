"""Cross-origin requests of browsers (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from ovms_core.errors import APIError


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
