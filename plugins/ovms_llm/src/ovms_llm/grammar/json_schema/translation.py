"""What objects and arrays ask of the translator that they are parts of."""

from __future__ import annotations

from typing import Protocol

from ovms_llm.grammar.json_schema.reading.budget import Budget
from ovms_llm.grammar.json_schema.reading.document import Document
from ovms_llm.grammar.json_schema.reading.facts import Facts, Position
from ovms_llm.grammar.json_schema.report import Report
from ovms_llm.grammar.nodes import Node


class Translation(Protocol):
    """A translation under way."""

    document: Document
    budget: Budget
    report: Report

    def place(self, position: Position) -> Node:
        """The node of a place that all schemas of `position` bind; raises `Nothing` where nothing fits them."""

    def describe(self, facts: Facts) -> Node:
        """The node of what fits `facts`; raises `Nothing` where nothing does."""

    def share(self, node: Node) -> Node:
        """`node`, or a reference to the rule that it is."""

    def rule(self, node: Node) -> Node:
        """A reference to a new rule."""
