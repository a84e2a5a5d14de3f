from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Repeat, Sequence
from ovms_llm.grammar.write import ebnf


def _root(node: Node) -> str:
    return ebnf(Grammar({"root": node})).removeprefix("root ::= ").removesuffix("\n")


def test_quotes_backslashes_and_control_characters_are_escaped() -> None:
    assert _root(Literal('a"b\\c\n\0é😀')) == r'"a\"b\\c\n\U00000000\U000000e9\U0001f600"'


def test_brackets_and_dashes_are_escaped_in_classes() -> None:
    written = r"[a-z\U0000002d\U0000005b-\U0000005e]"
    assert _root(Characters(((0x2D, 0x2D), (0x5B, 0x5E), (0x61, 0x7A)))) == written


def test_a_negated_class_is_said_by_what_is_in_it() -> None:
    spelled = r"[\U00000000-\U00000021\U00000023-\U0000d7ff\U0000e000-\U0010ffff]"
    assert _root(Characters(((0x22, 0x22),), negated=True)) == spelled


def test_choices_in_sequences_stand_in_brackets() -> None:
    node = Sequence((Choice((Literal("a"), Sequence((Literal("b"), Literal("c"))))), Literal("d")))
    assert _root(node) == '("a" | "b" "c") "d"'


def test_repetitions_are_written_with_the_shortest_quantifier() -> None:
    for bounds, written in {
        (0, None): "*",
        (1, None): "+",
        (0, 1): "?",
        (2, None): "{2,}",
        (3, 3): "{3}",
        (1, 5): "{1,5}",
    }.items():
        assert _root(Repeat(Literal("a"), *bounds)) == f'("a"{written})'
    assert _root(Repeat(Literal("a"), 0, 0)) == '""'


def test_unsafe_names_of_rules_are_replaced_without_clashes() -> None:
    rules: dict[str, Node] = {
        "start": Sequence((Reference("a-b"), Reference("root"), Reference("rule_1"))),
        "a-b": Literal("x"),
        "root": Literal("y"),
        "rule_1": Literal("z"),
    }
    lines = ebnf(Grammar(rules, root="start")).splitlines()
    assert lines[0] == "root ::= rule_1_ rule_2 rule_1"
    assert lines[1:] == ['rule_1_ ::= "x"', 'rule_2 ::= "y"', 'rule_1 ::= "z"']


def test_no_hexadecimal_digit_follows_an_escape_which_would_take_it() -> None:
    assert _root(Literal("\x0eaz\u00e9g\u00e9f")) == r'("\U0000000e" "az\U000000e9g\U000000e9" "f")'
    assert _root(Literal("]a")) == r'"\U0000005d\U00000061"'
    assert _root(Characters(((0x2D, 0x2D), (0x61, 0x7A)))) == r"[a-z\U0000002d]"
