"""What a worker prints and logs, on its way to the log of its model."""

from __future__ import annotations

import logging
import re
from collections import deque

import msgspec

from ovms_core.diagnostics.tracebacks import is_authors
from ovms_core.workers.log_lines import LONGEST, MARK, LogLine

_TAIL_LINES = 20
_WORDS_BEFORE = 5
"""Lines before the stacks of an engine that died that are shown with them: C++ prints there what was thrown."""
_MAX_STACKS = 500
"""Lines of stacks that are shown."""

_FATAL = "Fatal Python error: "
_THREAD = re.compile(r"(?:Current thread|Thread|Stack) .*\(most recent call first\)")
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+) in (?P<name>.+)')

_decode = msgspec.json.Decoder(LogLine).decode


class EngineOutput:
    """Takes the bytes of a worker's standard error. What is logged there keeps its level and the name of its logger.

    The stacks that `faulthandler` writes become one error of the log. `place` is then where the engine's author's code
    was, as ``/home/me/shout/engine.py:12 in step``; one for each thread that was in some.
    """

    def __init__(self, log: logging.Logger) -> None:
        self.place: str | None = None
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._log = log
        self._rest = b""
        self._stacks: list[str] = []

    @property
    def shows_stacks(self) -> bool:
        """Whether stacks have begun to come."""
        return bool(self._stacks)

    def feed(self, data: bytes) -> None:
        """Take what has come; a line that is not complete waits."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LONGEST:]
        for line in lines:
            self._take(line)

    def flush(self) -> None:
        """The stacks that have begun are complete."""
        if not self._stacks:
            return
        stacks, self._stacks = self._stacks, []
        self.place = places_in(stacks) or self.place
        if stacks[0].startswith(_FATAL):
            self._log.error("the engine's last words:\n%s", "\n".join([*list(self.tail)[-_WORDS_BEFORE:], *stacks]))
        else:
            self._log.error("where the engine is:\n%s", "\n".join(stacks))

    def _take(self, line: bytes) -> None:
        printed, mark, logged = line.partition(MARK)
        if mark and (record := _record(logged)) is not None:
            self._print(printed)
            self._say(record)
        else:
            self._print(line)

    def _print(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if _belongs_to_stacks(text, bool(self._stacks)):
            if len(self._stacks) < _MAX_STACKS:
                self._stacks.append(text)
        elif text:
            self.flush()
            self.tail.append(text)
            self._log.info("%s", text)

    def _say(self, record: LogLine) -> None:
        self.flush()
        log = self._log if record.logger == "root" else self._log.getChild(record.logger)
        log.log(record.level, "%s", record.text.rstrip())


def _record(line: bytes) -> LogLine | None:
    """The record in `line`, unless something else has been printed into it."""
    try:
        return _decode(line)
    except msgspec.DecodeError:
        return None


def _belongs_to_stacks(text: str, begun: bool) -> bool:
    if text.startswith(_FATAL) or _THREAD.match(text):
        return True
    return begun and (not text or text.startswith(("  ", "Extension modules: ", "Python runtime state: ", "<")))


def places_in(stacks: list[str]) -> str | None:
    """Where the author's code was in each thread of a dump of `faulthandler`; `None` if nowhere."""
    places: list[str] = []
    found = False
    for line in stacks:
        if _THREAD.match(line):
            found = False
        elif not found and (frame := _FRAME.match(line)) and is_authors(frame["file"]):
            found = True
            places.append(f"{frame['file']}:{frame['line']} in {frame['name']}")
    return "; ".join(dict.fromkeys(places)) or None
