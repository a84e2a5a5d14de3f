"""What a feature is, and what can be found out about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from ovms_core.command import RemoteServer


class Verdict(StrEnum):
    """Whether a server has a feature."""

    YES = "yes"
    PARTIAL = "partial"
    NO = "no"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Target:
    """The server under examination, and its models by what they do; an empty name is no model."""

    server: RemoteServer
    chat_model: str = ""
    embed_model: str = ""
    rerank_model: str = ""
    image_model: str = ""


class Finding(Exception):
    """Ends a check early, with a verdict and a note that says why."""

    def __init__(self, verdict: Verdict, note: str) -> None:
        super().__init__(note)
        self.verdict = verdict
        self.note = note


def expect(condition: object, note: str) -> None:
    """Find that the server lacks the feature unless `condition` is true."""
    if not condition:
        raise Finding(Verdict.NO, note)


def expect_fully(condition: object, note: str) -> None:
    """Find that the server has only a part of the feature unless `condition` is true."""
    if not condition:
        raise Finding(Verdict.PARTIAL, note)


def skip(note: str) -> NoReturn:
    """Find nothing: the feature cannot be examined here."""
    raise Finding(Verdict.SKIPPED, note)


Check = Callable[[Target], str | None]
"""Asks a server for a feature. It has it when the check returns, perhaps with a note, and lacks it when it raises."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Something a client relies on. Its name is that of its check, its description the check's docstring."""

    group: str
    check: Check

    @property
    def name(self) -> str:
        return getattr(self.check, "__name__", "").replace("_", " ")

    @property
    def description(self) -> str:
        return (self.check.__doc__ or "").strip()


@dataclass(frozen=True, slots=True)
class Group:
    """Features that belong together. `needs` is the field of `Target` without which none can be examined.

    Example::

        chat = Group("Chat completions", needs="chat_model")

        @chat.feature
        def stops_at_a_string(target: Target) -> None:
            \"\"\"`stop` ends the answer, and is no part of it.\"\"\"
    """

    name: str
    needs: str = ""
    features: list[Feature] = field(default_factory=list)

    def feature(self, check: Check) -> Check:
        """Add the feature that `check` asks for."""
        self.features.append(Feature(self.name, check))
        return check
