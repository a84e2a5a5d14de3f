"""How what a worker logs comes to the server: as lines on standard error, between those that the engine prints.

Not as messages of the wire: a process that the engine forks would write into the middle of them.
"""

from __future__ import annotations

import logging
import os
from typing import Final

import msgspec

MARK: Final = b"\x1e"
"""The first byte of such a line (https://www.rfc-editor.org/rfc/rfc7464 has it before JSON, too)."""

LONGEST: Final = 256 << 10
"""Bytes that a line may have."""

LONGEST_TEXT: Final = LONGEST // 8
"""Characters of a record that travel; JSON may write each as six bytes."""


class LogLine(msgspec.Struct, array_like=True):
    """A record of a logger in a worker."""

    level: int
    logger: str
    text: str


_encode = msgspec.json.Encoder().encode


class _ToServer(logging.Handler):
    """Writes each record as a line to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(2, _line(record.levelno, record.name, self.format(record)))
        except Exception:
            self.handleError(record)


def _line(level: int, logger: str, text: str) -> bytes:
    sendable = text[:LONGEST_TEXT].encode(errors="backslashreplace").decode()
    return MARK + _encode(LogLine(level, logger, sendable)) + b"\n"


def log_to_server(level: int) -> None:
    """Let what this process logs from `level` on, and what it warns of, go to the server's log."""
    logging.basicConfig(level=level, format="%(message)s", handlers=[_ToServer()], force=True)
    logging.captureWarnings(True)
