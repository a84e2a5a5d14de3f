"""Objects: their properties in the schema's order, and what may follow those."""

from __future__ import annotations

from ovms_llm.grammar.json_schema.parts import COLON, choice, sequence
from ovms_llm.grammar.json_schema.properties.keys import any_key, fits, key_text, matches, named_keys
from ovms_llm.grammar.json_schema.properties.layout import Counts, Member, Members
from ovms_llm.grammar.json_schema.reading.facts import Facts, Nothing, Part, Position
from ovms_llm.grammar.json_schema.report import Report
from ovms_llm.grammar.json_schema.strings import matching
from ovms_llm.grammar.json_schema.translation import Translation
from ovms_llm.grammar.nodes import Literal, Node

COUNTED = 600
"""Properties times counts: more of them would make too many rules."""


def object_(translation: Translation, facts: Facts) -> Node:
    _leave(facts, translation.report)
    members = _members(translation, facts)
    more = _more(translation, facts, [member.name for member in members])
    members = [member for member in members if member.node is not None]
    counts = _counts(facts, members, more is not None, translation.report)
    inside = Members(members, more, counts, translation.rule).node()
    if inside is None:
        raise Nothing("the numbers of properties exclude each other", _place(facts, "minProperties", "maxProperties"))
    return sequence(Literal("{"), inside, Literal("}"))


def _leave(facts: Facts, report: Report) -> None:
    for source in facts.sources:
        for keyword in ("dependentRequired", "dependentSchemas"):
            if source.value.get(keyword):
                report.add(source.below(keyword).pointer)
        if source.value.get("unevaluatedProperties", True) is not True and not _all_evaluated(source, facts):
            report.add(source.below("unevaluatedProperties").pointer)


def _all_evaluated(source: Part, facts: Facts) -> bool:
    """Only declared properties are written; so nothing is unevaluated if all are declared in or below `source`."""
    declared = _declared(facts)
    patterns = any(part.value for part in facts.all("patternProperties"))
    free = not declared and not patterns and not facts.all("additionalProperties")
    return facts.tops == (source.pointer,) and _required(facts).keys() <= declared.keys() and not free


def _declared(facts: Facts) -> dict[str, str]:
    """Names of properties in the schemas' order, and where each is declared."""
    return {name: part.below(name).pointer for part in facts.all("properties") for name in part.value}


def _required(facts: Facts) -> dict[str, str]:
    return {name: part.pointer for part in facts.all("required") for name in part.value}


def _members(translation: Translation, facts: Facts) -> list[Member]:
    required = _required(facts)
    return [
        Member(name, _value(translation, facts, name, required.get(name)), name in required)
        for name in dict.fromkeys([*_declared(facts), *required])
    ]


def _value(translation: Translation, facts: Facts, name: str, required: str | None) -> Node | None:
    """What property `name` looks like: its name and its value; `None` if it may not be there."""
    try:
        for names in facts.all("propertyNames"):
            if not fits(names, name, translation.report):
                raise Nothing(f'no property may be called "{name}"', names.pointer)
        translation.budget.spend(sum(_effort(source) for source in facts.sources) // 4, _place(facts))
        value = translation.place(_bound_to(facts, name))
    except Nothing:
        if required is not None:
            raise
        return None
    return sequence(Literal(key_text(name)), COLON, value)


def _bound_to(facts: Facts, name: str) -> Position:
    """The schemas of the value of property `name`."""
    found: list[Part] = []
    for source in facts.sources:
        own = [source.below("properties", name)] if name in source.value.get("properties", ()) else []
        own += [part for pattern, part in _patterns(source) if matches(pattern, name)]
        if not own and "additionalProperties" in source.value:
            own = [source.below("additionalProperties")]
        found += own
    return tuple(found)


def _effort(source: Part) -> int:
    """What it takes to look one name up."""
    return 1 + 8 * len(source.value.get("patternProperties", ()))


def _patterns(source: Part) -> list[tuple[str, Part]]:
    return [
        (pattern, source.below("patternProperties", pattern)) for pattern in source.value.get("patternProperties", ())
    ]


def _more(translation: Translation, facts: Facts, names: list[str]) -> Node | None:
    """A property that is not called by its name; `None` where there may be none."""
    patterned = [source for source in facts.sources if source.value.get("patternProperties")]
    _leave_patterns(translation.report, patterned, names)
    options = _patterned(translation, facts, patterned) if len(patterned) == 1 else []
    if _allows_more(facts, patterned):
        options += _additional(translation, facts, names, patterned)
    return translation.share(choice(options)) if options else None


def _allows_more(facts: Facts, patterned: list[Part]) -> bool:
    """Whether names are free. Where properties are declared and nothing is said of others, none are written."""
    if len(patterned) > 1 or any("additionalProperties" in source.value for source in facts.sources):
        return True
    return not patterned and not _declared(facts)


def _leave_patterns(report: Report, patterned: list[Part], names: list[str]) -> None:
    if len(patterned) > 1:
        report.add(patterned[1].below("patternProperties").pointer, "beside another patternProperties")
    for source in patterned[:1]:
        found = _patterns(source)
        for pattern, part in found:
            if any(matches(pattern, name) for name in names):
                report.add(part.pointer, "it also fits a property that is declared")
        schemas = [part.value for _, part in found]
        if any(schema != schemas[0] for schema in schemas) and not _exclusive([pattern for pattern, _ in found]):
            report.add(source.below("patternProperties").pointer, "a name may fit two of the patterns")
        if source.value.get("additionalProperties", False) is not False and schemas != [
            source.value["additionalProperties"]
        ]:
            report.add(source.below("additionalProperties").pointer, "beside patternProperties")


def _exclusive(patterns: list[str]) -> bool:
    """Whether each begins with another letter or digit."""
    firsts = {pattern[1:2] for pattern in patterns if pattern[:1] == "^" and pattern[1:2].isalnum() and _fixed(pattern)}
    return len(firsts) == len(patterns)


def _fixed(pattern: str) -> bool:
    return pattern[2:3] not in ("?", "*", "{") and "|" not in pattern


def _patterned(translation: Translation, facts: Facts, patterned: list[Part]) -> list[Node]:
    names = facts.all("propertyNames")
    if names:
        translation.report.add(names[0].pointer, "beside patternProperties")
    others = tuple(
        source.below("additionalProperties")
        for source in facts.sources
        if not source.value.get("patternProperties") and "additionalProperties" in source.value
    )
    options = []
    for pattern, part in _patterns(patterned[0]):
        try:
            value = translation.place((part, *others))
        except Nothing:
            continue
        key = matching(Part(pattern, part.pointer), translation.report)
        options.append(sequence(translation.share(key), COLON, value))
    return options


def _additional(translation: Translation, facts: Facts, names: list[str], patterned: list[Part]) -> list[Node]:
    bound = tuple(
        source.below("additionalProperties")
        for source in facts.sources
        if "additionalProperties" in source.value and not (len(patterned) > 1 and source.value.get("patternProperties"))
    )
    try:
        value = translation.place(bound)
        key = _free_key(translation, facts, names)
    except Nothing:
        return []
    return [sequence(translation.share(key), COLON, value)]


def _free_key(translation: Translation, facts: Facts, names: list[str]) -> Node:
    allowed = facts.all("propertyNames")
    if not allowed:
        return any_key(names)
    return named_keys(translation, tuple(allowed), names)


def _counts(facts: Facts, members: list[Member], more: bool, report: Report) -> Counts:
    least = max((int(part.value) for part in facts.all("minProperties")), default=0)
    most = min((int(part.value) for part in facts.all("maxProperties")), default=None)
    if least > 1 and more and least > sum(member.required for member in members):
        report.add(_place(facts, "minProperties"), "a name may be written twice")
    counts = Counts.of(least, most, members, more)
    if counts.cap * len(members) <= COUNTED:
        return counts
    report.add(_place(facts, "minProperties", "maxProperties"), "too many properties to count")
    return Counts(0, None, 0)


def _place(facts: Facts, *keywords: str) -> str:
    found = [part.pointer for keyword in keywords for part in facts.all(keyword)]
    return found[0] if found else facts.tops[0] if facts.tops else ""
