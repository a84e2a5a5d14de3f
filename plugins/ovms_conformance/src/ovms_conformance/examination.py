"""Asks a server for one feature after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ovms_conformance.feature import Feature, Finding, Group, Target, Verdict
from ovms_core.command import BROKEN, RefusedError


@dataclass(frozen=True, slots=True)
class Result:
    """What was found out about a feature; `note` says why it is not there, or what is special about it."""

    group: str
    feature: str
    description: str
    verdict: Verdict
    note: str = ""


def examine(target: Target, groups: Iterable[Group]) -> Iterator[Result]:
    """What `target` has of `groups`, in their order. A server that answers nonsense lacks what was asked for."""
    for group in groups:
        for feature in group.features:
            verdict, note = _judge(feature, target) if _can(group, target) else (Verdict.SKIPPED, _missing(group))
            yield Result(group.name, feature.name, feature.description, verdict, note)


def _can(group: Group, target: Target) -> bool:
    return not group.needs or bool(getattr(target, group.needs))


def _missing(group: Group) -> str:
    return f"--{group.needs.replace('_', '-')} is not given"


def _judge(feature: Feature, target: Target) -> tuple[Verdict, str]:
    try:
        return Verdict.YES, feature.check(target) or ""
    except Finding as finding:
        return finding.verdict, finding.note
    except RefusedError as error:
        return Verdict.NO, str(error)
    except BROKEN as error:
        return Verdict.NO, f"the connection broke: {type(error).__name__}: {error}"
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return Verdict.NO, f"the answer has another shape: {type(error).__name__}: {error}"
