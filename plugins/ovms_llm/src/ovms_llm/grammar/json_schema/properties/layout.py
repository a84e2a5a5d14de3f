"""How properties follow each other: in order, commas between, optional ones left out, as many as are asked for.

The grammar is linear in the number of properties: there is one rule for all that may be written from a property on,
which is never empty; the comma belongs to what stands before it. (XGrammar compiles this form 30 times faster than one
in which the rest may be empty.) Counting properties takes a rule for each count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ovms_llm.grammar.json_schema.parts import COMMA, EMPTY, NEVER, NEXT, choice, listed, maybe, sequence
from ovms_llm.grammar.nodes import Node

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
        return cls(least, most, max(least, most or 0) if members else 0)


State = tuple[int, int]


class Members:
    """The inside of an object; a state is how many properties have been passed, and how many of them written."""

    def __init__(self, members: list[Member], more: Node | None, counts: Counts, rule: Rule) -> None:
        self.members = members
        self.more = more
        self.counts = counts
        self.rule = rule
        self.nodes: dict[State, Node] = {}
        self.last_required = max((place for place, member in enumerate(members) if member.required), default=-1)

    def node(self) -> Node | None:
        """All of it; `None` if no number of properties is right."""
        uses = self._uses()
        for state in sorted(uses, reverse=True):
            node = self._from(state)
            self.nodes[state] = self.rule(node) if uses[state] > 1 and node != NEVER else node
        some = self.nodes[0, 0]
        if self._may_end((0, 0)):
            return EMPTY if some == NEVER else maybe(some)
        return None if some == NEVER else some

    def _may_end(self, state: State) -> bool:
        """Whether nothing need follow."""
        place, count = state
        return place > self.last_required and count >= self.counts.least

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
        """Where writing the next property leads, if there is room for it, and where leaving it out does."""
        place, count = state
        if place == len(self.members):
            return []
        return [*self._written(state), *([] if self.members[place].required else [(place + 1, count)])]

    def _written(self, state: State) -> list[State]:
        place, count = state
        room = self.counts.most is None or count < self.counts.most
        return [(place + 1, min(count + 1, self.counts.cap))] if room else []

    def _from(self, state: State) -> Node:
        """At least one more property."""
        place, count = state
        if place == len(self.members):
            return self._additional(count)
        member = self.members[place]
        options = [option for target in self._written(state) for option in self._taken(member, target)]
        left_out = NEVER if member.required else self.nodes[place + 1, count]
        return choice([*options, *([] if left_out == NEVER else [left_out])])

    def _taken(self, member: Member, after: State) -> list[Node]:
        """`member` as the last property, and with others behind it."""
        onward = self.nodes[after]
        if member.node is None or (onward == NEVER and not self._may_end(after)):
            return []
        if not self._may_end(after):
            return [sequence(member.node, COMMA, onward)]
        if onward == NEVER:
            return [member.node]
        node = self.rule(member.node)
        return [node, sequence(node, NEXT, onward)]

    def _additional(self, count: int) -> Node:
        least = max(self.counts.least - count, 1)
        most = None if self.counts.most is None else self.counts.most - count
        if self.more is None or (most is not None and least > most):
            return NEVER
        return listed(self.more, least, most)
