"""The results as tables and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from ovms_conformance.examination import Result
from ovms_conformance.feature import Verdict

_INTRODUCTION = """\
# Conformance

Which features of OpenAI's interface, and of those of Cohere, Jina, TEI and vLLM, a server has. `ovms conformance` finds
it out for any server over plain HTTP; notes with a number, such as `400: …`, are the server's own words. This page is
its output:

    {command}
"""


def summary(results: Iterable[Result]) -> str:
    """How many features have which verdict: ``60 yes, 2 partial, 3 no, 1 skipped``."""
    count = Counter(result.verdict for result in results)
    return ", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict if count[verdict])


def as_markdown(results: Sequence[Result], command: str) -> str:
    """A page with a table for each group, and the `command` that makes it."""
    tables = [_table(name, list(group)) for name, group in groupby(results, key=lambda result: result.group)]
    return "\n".join([_INTRODUCTION.format(command=command), f"{summary(results)}.\n", *tables])


def as_document(results: Iterable[Result], url: str) -> dict[str, Any]:
    """The results for programs."""
    return {
        "server": url,
        "features": [
            {"group": each.group, "feature": each.feature, "verdict": each.verdict, "note": each.note}
            for each in results
        ],
    }


def as_rows(results: Iterable[Result]) -> list[tuple[str, str, str]]:
    """Rows of feature, verdict and note."""
    return [(result.feature, str(result.verdict), result.note) for result in results]


def _table(title: str, results: Iterable[Result]) -> str:
    lines = [f"## {title}\n", "| feature | | what is asked for | note |", "| --- | --- | --- | --- |"]
    for result in results:
        verdict = str(result.verdict) if result.verdict is Verdict.YES else f"**{result.verdict}**"
        cells = (result.feature, verdict, result.description, result.note)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, ""])
