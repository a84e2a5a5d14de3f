"""Errors that reach a client, all in one shape, those that an engine raises, and those of plugins.

The shape is OpenAI's: ``{"error": {"message", "type", "param", "code"}}``
(https://platform.openai.com/docs/guides/error-codes).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def _type_of(status: int) -> str:
    return "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")


class APIError(Exception):
    """An error that a client sees, whatever endpoint it talks to.

    `message` says what was wrong, which value, and what would be right. `param` is the JSON path of
    the field at fault (``messages[0].content``). `retry_after` is in seconds and becomes the header
    ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(max(1, round(retry_after)))

    def at(self, param: str | None) -> APIError:
        """A copy for the field `param`. Do not change an error that you caught: it may belong to several requests."""
        return APIError(
            self.status,
            self.message,
            param=param,
            code=self.code,
            retry_after=self.retry_after,
            headers=self.headers,
        )

    def document(self) -> bytes:
        """The error as JSON, UTF-8 encoded."""
        body = {"message": self.message, "type": _type_of(self.status), "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": body})


def request_timed_out(limit: float) -> APIError:
    """The error of a request that took longer than `limit` seconds."""
    return APIError(504, f"The request took longer than {limit:g} s (request_timeout).", code="request_timeout")


class RequestError(Exception):
    """Raised by an engine for a request that it cannot serve; the other requests go on.

    The client gets `status` with `message`, `param` and `code`, as with `APIError`; the code of a 400 is
    ``invalid_value`` unless it is given.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or ("invalid_value" if status == 400 else None)
        self.status = status


class LoadError(Exception):
    """Raised by an engine whose model cannot be loaded. The message says why and what to do about it.

    A model that fails this way when it is first loaded stays `failed`: loading it again would fail again. One
    that was up before is tried again, because then it may be the machine's fault.
    """


class PluginError(Exception):
    """The server cannot start with these plugins. The message names them and says what to do."""
