"""What the log says of a request that failed with a 500: whose code it was, for which endpoint, and where."""

from __future__ import annotations

import logging

from ovms_core.diagnostics.attribution import plugin_that_raised
from ovms_core.diagnostics.tracebacks import author_place, author_traceback, said_by

log = logging.getLogger("ovms.http")

_CORE = "core"


def log_failure(request_id: str, endpoint: str, error: BaseException, *, in_stream: bool = False) -> None:
    """Log `error`, which the client of this request hears of as ``internal_error`` only.

    `endpoint` is a method and a path, or empty where there is no route. The traceback begins in the author's code; an
    error that was never there has all of it.
    """
    place = author_place(error)
    plugin = plugin_that_raised(error) or _CORE
    where = ", ".join(part for part in ("" if plugin == _CORE else f"plugin '{plugin}'", endpoint) if part)
    what = said_by(error)
    log.error(
        "request %s failed%s: %s%s%s%s",
        request_id,
        " in mid-stream" if in_stream else "",
        f"{where}: " if where else "",
        what,
        f" at {place}" if place else "",
        f"\n{author_traceback(error)}" if place else "",
        exc_info=None if place else error,
    )
