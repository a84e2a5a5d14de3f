"""How properties follow each other: in order, commas between, optional ones left out, as many as are asked for.

The grammar is linear in the number of properties: from each on there is one rule for where none has been written
before, which needs no comma, and one for where some have. Counting properties takes a rule for each count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ovms_llm.grammar.json_schema.parts import COMMA, EMPTY, NEVER, choice, listed, maybe, sequence
from ovms_llm.grammar.nodes import Node, Repeat

Rule = Callable[[Node], Node]


@dataclass(frozen=True, slots=True)
class Member:
    """A property that has a name; no node means that it may not be there."""

    name: str
    node: Node | None
    required: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How many properties there must be; more than `cap` need not be told apart."""

    least: int
    most: int | None
    cap: int

    @classmethod
    def of(cls, least: int, most: int | None, members: list[Member], more: bool) -> Counts:
        """Without the bounds that hold anyway."""
        least = 0 if least <= sum(member.required for member in members) else least
        most = None if most is not None and not more and most >= len(members) else most
        if not members:
            return cls(least, most, 1)
        return cls(least, most, max(1, least, most or 0))


State = tuple[int, int]


class Members:
    """The inside of an object; a state is how many properties have been passed, and how many of them written."""

    def __init__(self, members: list[Member], more: Node | None, counts: Counts, rule: Rule) -> None:
        self.members = members
        self.more = more
        self.counts = counts
        self.rule = rule
        self.nodes: dict[State, Node] = {}

    def node(self) -> Node | None:
        """All of it; `None` if no number of properties is right."""
        uses = self._uses()
        for state in sorted(uses, reverse=True):
            node = self._from(state)
            self.nodes[state] = self.rule(node) if uses[state] > 1 and node not in (EMPTY, NEVER) else node
        return None if self.nodes[0, 0] == NEVER else self.nodes[0, 0]

    def _uses(self) -> dict[State, int]:
        """How often each state is gone on from."""
        uses: dict[State, int] = {(0, 0): 1}
        layer = [(0, 0)]
        while layer:
            fresh = [target for state in layer for target in self._targets(state)]
            layer = list(dict.fromkeys(target for target in fresh if target not in uses))
            for target in fresh:
                uses[target] = uses.get(target, 0) + 1
        return uses

    def _targets(self, state: State) -> list[State]:
        place, count = state
        if place == len(self.members):
            return []
        taken = [(place + 1, min(count + 1, self.counts.cap))] if self._room(count) else []
        return taken + ([] if self.members[place].required else [(place + 1, count)])

    def _room(self, count: int) -> bool:
        return self.counts.most is None or count < self.counts.most

    def _from(self, state: State) -> Node:
        place, count = state
        if place == len(self.members):
            return self._end(count)
        member = self.members[place]
        here = sequence(COMMA if count else EMPTY, member.node or NEVER)
        options = [(here, self.nodes[target]) for target in self._targets(state)]
        if member.required:
            return sequence(*options[0]) if options and options[0][1] != NEVER else NEVER
        return self._optional(here, state)

    def _optional(self, here: Node, state: State) -> Node:
        *taken, left_out = [self.nodes[target] for target in self._targets(state)]
        taken = [node for node in taken if node != NEVER]
        if not taken:
            return left_out
        if taken[0] == left_out:
            return sequence(maybe(here), left_out)
        return choice([sequence(here, taken[0]), *([] if left_out == NEVER else [left_out])])

    def _end(self, count: int) -> Node:
        least = max(self.counts.least - count, 0)
        most = None if self.counts.most is None else self.counts.most - count
        if self.more is None or most == 0:
            return NEVER if least else EMPTY
        if count == 0:
            return listed(self.more, least, most)
        return Repeat(sequence(COMMA, self.more), least, most)
