"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a finding means for the server: fine, worth knowing, or in its way."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about `subject`, and what to do about it unless it is fine."""

    subject: str
    verdict: Verdict
    found: str
    advice: str = ""


def ok(subject: str, found: str) -> Finding:
    """A finding that needs nothing done."""
    return Finding(subject, Verdict.OK, found)


def warn(subject: str, found: str, advice: str) -> Finding:
    """A finding that the server can live with."""
    return Finding(subject, Verdict.WARN, found, advice)


def fail(subject: str, found: str, advice: str) -> Finding:
    """A finding that keeps the server from working."""
    return Finding(subject, Verdict.FAIL, found, advice)
