"""From what is said about places of a document to rules that make only such documents."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ovms_llm.grammar.json_schema import arrays, formats, strings, values
from ovms_llm.grammar.json_schema.alternatives import separated
from ovms_llm.grammar.json_schema.numeric import numbers
from ovms_llm.grammar.json_schema.parts import BOOLEAN, CHARACTER, NEVER, NULL, RULES, VALUE, choice
from ovms_llm.grammar.json_schema.properties import objects
from ovms_llm.grammar.json_schema.reading.budget import Budget
from ovms_llm.grammar.json_schema.reading.document import Document
from ovms_llm.grammar.json_schema.reading.facts import Alternatives, Facts, Nothing, Part, Position, flatten
from ovms_llm.grammar.json_schema.report import Report, Unenforced
from ovms_llm.grammar.json_schema.translation import Translation
from ovms_llm.grammar.nodes import Characters, Choice, Literal, Node, Reference, Repeat, Sequence
from ovms_llm.grammar.repetition import BLOCK

SMALL = 4
"""Nodes of more parts than this become rules of their own, so that equal ones are written once."""

Container = Callable[[Translation, Facts], Node]


class Translator:
    """Translates the schemas of a document; objects and arrays become rules that wait for their turn."""

    def __init__(self, document: Document, budget: Budget, report: Report) -> None:
        self.document = document
        self.budget = budget
        self.report = report
        self.rules: dict[str, Node] = {**RULES, **formats.RULES}
        self.failures: list[Nothing] = []
        self._names: dict[Node | tuple[str, ...], str] = {}
        self._places: dict[tuple[str, ...], Node | Nothing] = {}
        self._waiting: deque[tuple[str, Container, Facts]] = deque()

    def translate(self) -> Node:
        """The node of the whole schema; raises `Nothing` where nothing fits it."""
        root = self.place((Part(self.document.root, ""),))
        while self._waiting:
            name, container, facts = self._waiting.popleft()
            self.rules[name] = self._container(container, facts)
        return root

    def _container(self, container: Container, facts: Facts) -> Node:
        try:
            return container(self, facts)
        except Nothing as nothing:
            self.failures.append(nothing)
            return NEVER

    def place(self, position: Position) -> Node:
        """The node of a place that all schemas of `position` bind."""
        key = tuple(part.pointer for part in position)
        if key not in self._places:
            try:
                self._places[key] = self.share(self.describe(flatten(position, self.document, self.budget)))
            except Nothing as nothing:
                self._places[key] = nothing
        found = self._places[key]
        if isinstance(found, Nothing):
            raise found
        return found

    def share(self, node: Node) -> Node:
        """`node`, or a reference to the rule that it is."""
        if size(node) <= SMALL:
            return node
        if node not in self._names:
            self.budget.spend(size(node), "")
            self.rules[self._name(node)] = node
        return Reference(self._names[node])

    def _name(self, key: Node | tuple[str, ...]) -> str:
        return self._names.setdefault(key, f"r{len(self._names)}")

    def describe(self, facts: Facts) -> Node:
        self.budget.spend(max(len(facts.sources), 1), facts.tops[0] if facts.tops else "")
        if facts.alternatives:
            return self._choose(facts)
        if facts.open():
            return VALUE
        if facts.all("enum") or facts.all("const"):
            return values.literals(facts, self.report)
        self._leave_conditions(facts)
        return choice(self._by_type(facts))

    def _choose(self, facts: Facts) -> Node:
        first, *others = facts.alternatives
        base = Facts(facts.sources, tuple(others), facts.tops)
        options, failures = list[Node](), list[Nothing | Unenforced]()
        for option in self._options(first):
            try:
                options.append(self.describe(base + option))
            except Nothing as nothing:
                failures.append(nothing)
            except Unenforced as unenforced:
                failures.append(unenforced)
        if options and not (first.exclusive and any(isinstance(failure, Unenforced) for failure in failures)):
            return choice(options)
        raise next((failure for failure in failures if isinstance(failure, Unenforced)), failures[0])

    def _options(self, alternatives: Alternatives) -> list[Facts]:
        found = list[Facts]()
        for option in alternatives.options:
            try:
                found.append(flatten((option,), self.document, self.budget, alternatives.path))
            except Nothing as nothing:
                self.failures.append(nothing)
        if not found:
            raise Nothing("none of these can be fulfilled", alternatives.pointer)
        if not alternatives.exclusive:
            return found
        return separated(found, alternatives.pointer, self.report)

    def _leave_conditions(self, facts: Facts) -> None:
        for source in facts.sources:
            if source.value.get("not", False) is not False:
                self.report.add(source.below("not").pointer)
            if "if" in source.value and source.value.keys() & {"then", "else"}:
                self.report.add(source.below("if").pointer)

    def _by_type(self, facts: Facts) -> list[Node]:
        nodes, failures = list[Node](), list[Nothing]()
        for name in facts.types():
            try:
                nodes.append(self._typed(name, facts))
            except Nothing as nothing:
                failures.append(nothing)
        if not nodes:
            raise failures[0]
        return nodes

    def _typed(self, name: str, facts: Facts) -> Node:
        match name:
            case "object":
                return self._later(name, objects.object_, facts)
            case "array":
                return self._later(name, arrays.array, facts)
            case "string":
                return strings.string(facts, self.report)
            case "integer":
                return numbers.integer(facts, self.report)
            case "number":
                return numbers.number(facts, self.report)
            case "boolean":
                return BOOLEAN
            case _:
                return NULL

    def _later(self, name: str, container: Container, facts: Facts) -> Node:
        key = (name, *facts.key())
        if key not in self._names:
            self._waiting.append((self._name(key), container, facts))
        return Reference(self._names[key])

    def rule(self, node: Node) -> Node:
        """A reference to a new rule."""
        name = self._name((f"rule {len(self._names)}",))
        self.rules[name] = node
        return Reference(name)


def size(node: Node) -> int:
    """About how many states a node has."""
    match node:
        case Literal(text):
            return 1 + len(text) // 8
        case Characters() | Reference():
            return 1
        case Sequence(items) | Choice(items):
            return 1 + sum(map(size, items))
        case Repeat(item, least, most):
            count = max(least, most or 1, 1)
            return 1 + size(item) * (count if item != CHARACTER or count < BLOCK else BLOCK + count // BLOCK)
