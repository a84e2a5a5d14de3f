"""What OpenVINO and OpenVINO GenAI say when they fail, in words for users. Imports nothing heavy."""

from __future__ import annotations

import re
from typing import Final

_WHERE: Final = re.compile(r"^Exception from \S+:\d+:?\s*|^Check '(?P<check>.*?)' failed at \S+:\d+:?\s*")
_SOURCE: Final = re.compile(r"\s*(?:\b(?:at|from|in) )?(?:/|[A-Za-z]:\\)\S+\.(?:cpp|hpp|h|cc|cxx)(?::\d+)?:?")


def reason(error: Exception) -> str:
    """Why it failed: `error` without the places in OpenVINO's sources, which are paths of the machine it was built on.

    One line, without a mark at its end. Where nothing but a place was given, it is the check that failed.
    """
    checks: list[str] = []
    lines = [_plain(line.strip(), checks) for line in str(error).splitlines()]
    said = [line for line in lines if line]
    if said:
        return said[-1].rstrip(".!")
    return f"a check of OpenVINO's failed ({checks[-1]})" if checks else type(error).__name__


def _plain(line: str, checks: list[str]) -> str:
    while match := _WHERE.match(line):
        if match["check"]:
            checks.append(match["check"])
        line = line[match.end() :]
    return _SOURCE.sub("", line).strip()
