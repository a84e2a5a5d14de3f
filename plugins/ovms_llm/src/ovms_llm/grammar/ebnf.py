"""Grammars as clients write them: GBNF of llama.cpp (https://github.com/ggml-org/llama.cpp/tree/master/grammars), which
is XGrammar's EBNF but for details."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from ovms_llm.grammar.characters import ALL, union
from ovms_llm.grammar.errors import GrammarError
from ovms_llm.grammar.limits import DEFAULTS, Limits
from ovms_llm.grammar.nodes import Characters, Choice, Grammar, Literal, Node, Reference, Sequence
from ovms_llm.grammar.rewriting import repeat

_SPACE: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*|//[^\n]*)*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DEFINED: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*::=")
_COUNTS: Final = re.compile(r"\{\s*(\d{1,9})\s*(?:(,)\s*(\d{0,9})\s*)?\}")
_QUANTIFIERS: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_ESCAPES: Final = {"n": 10, "r": 13, "t": 9, "b": 8, "f": 12, "v": 11, "a": 7, "e": 27, "0": 0}
_PLAIN_ESCAPES: Final = frozenset("\"'\\[]-^/?")
_CODE: Final = re.compile(
    r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|u\{([0-9a-fA-F]{1,6})\}|x\{([0-9a-fA-F]{1,6})\}"
)
_LARK: Final = re.compile(r"^\s*[?!]?[A-Za-z_][A-Za-z0-9_]*(?:\.\d+)?\s*:(?!:)|^\s*%(?:import|ignore|declare)\b", re.M)


def parsed(text: str, *, pointer: str = "", limits: Limits = DEFAULTS) -> Grammar:
    """The rules of `text`; its root is the rule ``root``.

    Raises `GrammarError` with line and column.
    """
    if len(text) > limits.characters:
        message = f"The grammar has {len(text)} characters, {limits.characters} at most are allowed."
        raise GrammarError(message, pointer)
    if "::=" not in text and _LARK.search(text):
        message = "The grammar is Lark's, which is not supported: write it as GBNF, with rules like 'root ::= \"yes\"'."
        raise GrammarError(message, pointer)
    return _Parser(text, pointer, limits.depth).grammar()


class _Parser:
    def __init__(self, text: str, pointer: str, depth: int) -> None:
        self._text = text
        self._pointer = pointer
        self._depth = depth
        self._at = 0

    def grammar(self) -> Grammar:
        rules: dict[str, Node] = {}
        self._skip()
        while self._at < len(self._text):
            begun, name = self._at, self._name()
            if name in rules:
                self._fail(f"the rule '{name}' a second time: join both with '|'", begun)
            rules[name] = self._rule(name)
        if "root" not in rules:
            self._fail("no rule 'root', where a grammar begins: add it", 0)
        return Grammar(rules)

    def _fail(self, what: str, at: int) -> NoReturn:
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        raise GrammarError(f"The grammar has in line {line}, column {column} {what}.", self._pointer)

    def _skip(self) -> None:
        if found := _SPACE.match(self._text, self._at):
            self._at = found.end()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _name(self) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            self._fail(f"'{self._peek()}' where the name of a rule should stand", self._at)
        self._at = found.end()
        return found[0]

    def _rule(self, name: str) -> Node:
        self._skip()
        if not self._text.startswith("::=", self._at):
            self._fail(f"no '::=' behind the name '{name}'", self._at)
        self._at += 3
        node = self._alternatives(0)
        if self._peek() == ")":
            self._fail("a ')' that closes nothing", self._at)
        return node

    def _alternatives(self, depth: int) -> Node:
        if depth > self._depth:
            self._fail(f"more than {self._depth} brackets in each other", self._at)
        options = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self, depth: int) -> Node:
        items: list[Node] = []
        self._skip()
        while self._peek() not in ("", "|", ")") and not self._at_next_rule():
            items.append(self._quantified(self._item(depth)))
            self._skip()
        return items[0] if len(items) == 1 else Sequence(tuple(items)) if items else Literal("")

    def _at_next_rule(self) -> bool:
        found = _NAME.match(self._text, self._at)
        return found is not None and _DEFINED.match(self._text, found.end()) is not None

    def _item(self, depth: int) -> Node:
        begun, character = self._at, self._peek()
        match character:
            case '"':
                return self._literal(begun)
            case "[":
                return self._class(begun)
            case "(":
                return self._group(begun, depth)
            case ".":
                self._at += 1
                return Characters(ALL)
            case "*" | "+" | "?" | "{":
                self._fail(f"'{character}' with nothing to repeat", begun)
        return self._reference(begun)

    def _reference(self, begun: int) -> Node:
        name = self._name()
        if self._peek() == "(":
            self._fail(f"'{name}(', which is not supported: use rules, literals, classes and repetitions", begun)
        return Reference(name)

    def _group(self, begun: int, depth: int) -> Node:
        self._at += 1
        if self._text.startswith("=", self._at):
            self._fail("a lookahead, which is not supported", begun)
        node = self._alternatives(depth + 1)
        if self._peek() != ")":
            self._fail("a '(' that is never closed", begun)
        self._at += 1
        return node

    def _quantified(self, node: Node) -> Node:
        while True:
            if (counts := _QUANTIFIERS.get(self._peek())) is not None:
                self._at += 1
            elif self._peek() == "{":
                counts = self._counts()
            else:
                return node
            node = repeat(node, *counts)

    def _counts(self) -> tuple[int, int | None]:
        found = _COUNTS.match(self._text, self._at)
        if found is None:
            self._fail("a repetition that is not written '{2}', '{2,}' or '{2,5}'", self._at)
        least = int(found[1])
        most = (int(found[3]) if found[3] else None) if found[2] else least
        if most is not None and most < least:
            self._fail("a repetition whose upper bound is under its lower one", self._at)
        self._at = found.end()
        return least, most

    def _literal(self, begun: int) -> Node:
        self._at += 1
        codes: list[str] = []
        while self._peek() != '"':
            codes.append(chr(self._code(begun, "literal")))
        self._at += 1
        return Literal("".join(codes))

    def _class(self, begun: int) -> Node:
        self._at += 1
        negated = self._peek() == "^"
        self._at += negated
        ranges: list[tuple[int, int]] = []
        while self._peek() != "]":
            ranges.append(self._range(begun))
        self._at += 1
        return Characters(union(ranges), negated)

    def _range(self, begun: int) -> tuple[int, int]:
        first = last = self._code(begun, "class")
        if self._peek() == "-" and not self._text.startswith("-]", self._at):
            self._at += 1
            last = self._code(begun, "class")
        if last < first:
            self._fail("a range that ends before it begins", self._at)
        return first, last

    def _code(self, begun: int, inside: str) -> int:
        """The next character of a literal or a class that began at `begun`."""
        character = self._peek()
        if character in ("", "\n"):
            self._fail(f"a {inside} that is never closed", begun)
        self._at += 1
        return self._escaped() if character == "\\" else ord(character)

    def _escaped(self) -> int:
        begun, character = self._at - 1, self._peek()
        if found := _CODE.match(self._text, self._at):
            self._at = found.end()
            return self._known(int(next(filter(None, found.groups())), 16), begun)
        self._at += 1
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character not in _PLAIN_ESCAPES:
            self._fail(f"the unknown escape '\\{character}'", begun)
        return ord(character)

    def _known(self, code: int, begun: int) -> int:
        if code > ALL[-1][1] or 0xD800 <= code < 0xE000:
            self._fail("an escape that is no character", begun)
        return code
