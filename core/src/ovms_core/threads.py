"""What a call on a thread of its own may end with, as whoever waits for it can take it."""

from __future__ import annotations

from ovms_core.diagnostics.tracebacks import said_by


class CallEndedError(Exception):
    """A call on a thread ended with what is meant to end a thread, a process or a task (`SystemExit`, for example)."""


def as_failure(error: BaseException) -> Exception:
    """`error` as what a future can hold and a task can handle: `SystemExit` there would end the server."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    failure = CallEndedError(said_by(error))
    failure.__cause__ = error
    return failure
