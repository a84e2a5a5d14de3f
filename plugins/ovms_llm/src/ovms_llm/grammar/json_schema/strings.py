"""Strings: lengths, patterns and formats."""

from __future__ import annotations

from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.json_schema.formats import LENGTHS, NODES
from ovms_llm.grammar.json_schema.parts import CHARACTER, QUOTE, STRING, sequence
from ovms_llm.grammar.json_schema.reading.facts import Facts, Nothing, Part
from ovms_llm.grammar.json_schema.report import WAY_OUT, Report, Unenforced
from ovms_llm.grammar.nodes import Node, Repeat
from ovms_llm.grammar.regex import translation as regex
from ovms_llm.grammar.regex.lengths import Lengths
from ovms_llm.grammar.regex.translation import LengthError

LONGEST = 1_000_000


def string(facts: Facts, report: Report) -> Node:
    """A JSON string, its quotation marks included. A pattern is enforced before a format, and that before lengths."""
    least, most = lengths(facts)
    patterns = list({part.value: part for part in facts.all("pattern")}.values())
    formats = list({part.value: part for part in facts.all("format") if part.value in NODES}.values())
    if patterns:
        _leave(report, patterns[1:], "beside another pattern")
        _leave(report, formats, "beside a pattern")
        return _counted(patterns[0], facts, report)
    if formats:
        _leave(report, formats[1:], "beside another format")
        _leave(report, _binding(facts, *LENGTHS[formats[0].value]), "beside a format")
        return sequence(QUOTE, NODES[formats[0].value], QUOTE)
    return sequence(QUOTE, Repeat(CHARACTER, least, most), QUOTE) if (least, most) != (0, None) else STRING


def lengths(facts: Facts) -> Lengths:
    least = max((int(part.value) for part in facts.all("minLength")), default=0)
    most = min((int(part.value) for part in facts.all("maxLength")), default=None)
    if most is not None and least > most:
        raise Nothing(f"no string is at least {least} and at most {most} long", facts.all("minLength")[0].pointer)
    return least, most


def _binding(facts: Facts, shortest: int, longest: int) -> list[Part]:
    """The lengths that texts between `shortest` and `longest` may break."""
    too_short = [part for part in facts.all("minLength") if part.value > shortest]
    return too_short + [part for part in facts.all("maxLength") if part.value < longest]


def _leave(report: Report, parts: list[Part], why: str) -> None:
    for part in parts:
        report.add(part.pointer, why)


def _counted(pattern: Part, facts: Facts, report: Report) -> Node:
    """A JSON string with `pattern`, of the wanted length as far as the pattern lets that be counted."""
    try:
        return matching(pattern, report, lengths(facts))
    except LengthError:
        _leave(report, _binding(facts, 0, LONGEST), "beside such a pattern")
        return matching(pattern, report)


def matching(part: Part, report: Report, lengths: Lengths = (0, None)) -> Node:
    """A JSON string in which the pattern `part` is found."""
    try:
        inside = regex.node(part.value, pointer=part.pointer, json_string=True, search=True, lengths=lengths)
    except LengthError:
        raise
    except GrammarError as error:
        if report.strict:
            raise Unenforced(part.pointer, f"{error.message.removesuffix('.')}; {WAY_OUT}") from error
        report.add(part.pointer)
        return STRING
    return sequence(QUOTE, inside, QUOTE)
