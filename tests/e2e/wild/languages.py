"""Regular expressions, grammars and structural tags."""

from __future__ import annotations

from random import Random

BAD_REGEXES = (
    *("(", ")", "[", "a{2,1}", "*", "+a", "(?=a)b", "(?<!a)b", r"(a)\1", r"\p{L}", "(?P<x>a)", "[z-a]"),
    *("\\", r"\b", "a**"),
    *("(a+)+" * 12, "((a{1,1000}){1,1000}){1,1000}", "a{100000000}", "(" * 500 + ")" * 500),
    *("(a|" * 300 + "a" + ")" * 300, "\ud800"),
)
BAD_GRAMMARS = (
    *("", "root", "root ::=", 'root ::= "a', "root ::= missing", "root ::= root", 'other ::= "a"'),
    *("root ::= [z-a]", "::= a"),
    *('root ::= root "a" | "b"', "root ::= a\na ::= b\nb ::= a", 'root ::= "a"{100000000}'),
    *("root ::= (" * 300, 'root ::= ("a"*)*'),
    *("root ::= " + "(" * 200 + '"a"' + ")" * 200, 'root ::= "\\x"', 'root ::= "a" #', "start: /a/"),
    *("root ::= \ud800", "root ::= TagDispatch()"),
)


def regex(chance: Random, depth: int = 2) -> str:
    """A regular expression that makes sense."""
    atoms = ["a", "é", "[0-9]", "[^a-z]", r"\d", r"\w", r"\.", "漢", "[a-cx-z]", " ", r"\s"]
    if depth > 0:
        atoms += [f"({regex(chance, depth - 1)})", f"(?:{regex(chance, depth - 1)}|{regex(chance, depth - 1)})"]
    repeats = ("", "", "", "?", "{2}", "{1,3}", "*", "+")
    return "".join(chance.choice(atoms) + chance.choice(repeats) for _ in range(chance.randint(1, 4)))


def grammar(chance: Random) -> str:
    """A grammar that makes sense: no rule uses itself or one before it."""
    names = [f"rule{number}" for number in range(chance.randint(1, 4))]
    rules = []
    for number, name in enumerate(["root", *names]):
        later = [*names[number:], '"text"', "[a-z]", '"é"', "[^\\n]"]
        parts = [
            chance.choice(later) + chance.choice(["", "", "?", "+", "*", "{1,3}"]) for _ in range(chance.randint(1, 3))
        ]
        rules.append(f"{name} ::= {' '.join(parts)} | {chance.choice(later)}")
    return "\n".join(rules)
