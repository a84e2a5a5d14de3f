"""The id of the HTTP request that is being answered, for the log and for what its client is told."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

current_request_id: Final[ContextVar[str]] = ContextVar("ovms.request_id", default="")
"""Empty outside of a request. Tasks that a request starts have its id, too."""
