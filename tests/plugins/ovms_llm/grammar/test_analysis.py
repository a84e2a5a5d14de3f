import pytest
from tests.cost import cost

from ovms_llm.grammar.checks.analysis import check
from ovms_llm.grammar.checks.size import size
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.limits import Limits
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence

A = Literal("a")


def _refused(rules: dict[str, Node], match: str) -> None:
    def refused() -> None:
        with pytest.raises(GrammarError, match=match):
            check(Grammar(rules), Limits())

    assert cost(refused) < 1


def test_a_reference_to_nothing_is_refused() -> None:
    _refused({"root": Reference("other")}, "refers to 'other'")
    _refused({"start": A}, "refers to 'root'")


def test_what_can_never_be_satisfied_is_refused() -> None:
    _refused({"root": Reference("root")}, "never be satisfied")
    _refused({"root": Sequence((A, Reference("root")))}, "never be satisfied")
    _refused({"root": Characters(())}, "never be satisfied")
    _refused({"root": Choice(())}, "never be satisfied")


def test_a_tree_is_accepted() -> None:
    tree = Sequence((Literal("["), Repeat(Reference("root")), Literal("]")))
    check(Grammar({"root": tree}), Limits())


def test_a_rule_that_begins_with_itself_is_refused() -> None:
    _refused({"root": Choice((Sequence((Reference("root"), A)), A))}, "begins with itself")
    hidden = Sequence((Repeat(A), Reference("other"), A))
    _refused({"root": hidden, "other": Choice((Reference("root"), A))}, "begins with itself")


def test_huge_repetitions_cost_nothing_to_refuse() -> None:
    node: Node = A
    for _ in range(60):
        node = Repeat(node, 1000, 1000)
    _refused({"root": node}, "too large")


def test_deep_nesting_is_refused() -> None:
    node: Node = A
    for _ in range(100_000):
        node = Sequence((node,))
    _refused({"root": node}, "nested too deeply")
    rules = {str(at): Sequence((Literal("["), Reference(str(at + 1)))) for at in range(2_000)}
    check(Grammar({"root": Reference("0"), **rules, "2000": A}), Limits())


def test_only_neighbours_that_may_be_left_out_multiply() -> None:
    optional = Repeat(A, 0, 1)
    apart, together = Sequence((optional, A) * 200), Sequence((optional,) * 200 + (A,) * 200)
    assert size(Grammar({"root": apart})) < 2_000
    assert size(Grammar({"root": together})) > 40_000
