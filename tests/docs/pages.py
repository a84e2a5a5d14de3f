"""The pages of the documentation, and what stands in their code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SNIPPETS = DOCS / "snippets"
EXAMPLES = DOCS / "examples"
GENERATED = frozenset({"api.md", "cli.md", "settings.md", "conformance.md"})
NOT_GUIDES = GENERATED | {"engine-notes.md"}

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n|\n(?= {4}))+")
_LANGUAGES = {"models": "yaml", "curl": "sh", "make": "sh", "ovms": "sh", "pip": "sh"}
"""The language of an indented block by its first word."""


@dataclass(frozen=True, slots=True)
class Block:
    """A code block, fenced or indented; `line` is its first."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def guides() -> list[Path]:
    """The pages that people wrote."""
    pages = [page for page in DOCS.rglob("*.md") if not {SNIPPETS, EXAMPLES} & set(page.parents)]
    return sorted(page for page in pages if page.name not in NOT_GUIDES)


def blocks(*languages: str) -> list[Block]:
    """The code blocks of all guides and of the README in these languages."""
    return [block for page in (*guides(), ROOT / "README.md") for block in _blocks(page) if block.language in languages]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page.relative_to(ROOT).as_posix(), line, match[2], dedent(match[3]))
    for match in _INDENTED.finditer(_FENCE.sub("", text)):
        code = dedent(match[0])
        first = re.split(r"\W", code, maxsplit=1)[0]
        line = text.count("\n", 0, text.find(match[0])) + 1
        yield Block(page.relative_to(ROOT).as_posix(), line, _LANGUAGES.get(first, ""), code)
