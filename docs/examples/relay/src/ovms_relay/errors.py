"""What a client is told when the other server does not answer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from ovms_core.plugin import APIError

log = logging.getLogger("ovms.relay")

_TOLD = {400, 413, 422, 429, 503}
"""Statuses that are the client's own business. What else goes wrong there, such as a wrong key, is the operator's."""


def refused(status: int, headers: Mapping[str, str], body: bytes) -> APIError:
    """The error for an answer that is none. A 429 stays a 429, with its ``Retry-After``."""
    error = _error_in(body)
    log.warning("the other server answered %d: %s", status, error.get("message") or body[:500])
    if status not in _TOLD:
        return APIError(502, f"The server that this model is relayed to answered {status}.", code="relay_failed")
    wait = headers.get("retry-after", "")
    return APIError(
        status,
        str(error.get("message") or f"The server that this model is relayed to answered {status}."),
        param=error.get("param"),
        code=error.get("code"),
        retry_after=float(wait) if wait.isdecimal() else None,
    )


def unreachable(error: Exception) -> APIError:
    """The error for a server that cannot be reached, or is silent for too long."""
    log.warning("the other server does not answer: %s: %s", type(error).__name__, error)
    message = "The server that this model is relayed to does not answer. Try again later."
    return APIError(502, message, code="relay_unreachable", retry_after=5)


def failed_there(error: Mapping[str, Any]) -> APIError:
    """The error that a stream ended with."""
    message = f"The server that this model is relayed to failed: {error.get('message')}"
    return APIError(502, message, code=error.get("code") or "relay_failed")


def broken_off() -> APIError:
    """The error for a stream without an end."""
    return APIError(502, "The server that this model is relayed to broke its answer off.", code="relay_failed")


def _error_in(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, dict[str, Any]])["error"]
    except (msgspec.DecodeError, KeyError):
        return {}
