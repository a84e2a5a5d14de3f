"""What the README promises exists, and is what continuous integration runs."""

from __future__ import annotations

import re

from tests.docs.pages import DOCS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def test_every_command_of_the_readme_is_a_target() -> None:
    named = set(re.findall(r"make ([a-z]+)", README))
    assert named
    assert named <= TARGETS


def test_every_target_is_declared_phony_and_explained() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS
    assert set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)) == TARGETS


def test_continuous_integration_runs_the_command_of_the_readme() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make test"]
    assert "make test" in README


def test_every_make_command_of_the_guides_is_a_target() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= TARGETS


def test_every_file_that_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\(([^):#]+)\)|`(docs/[\w./-]+)`", README)
    assert links
    assert [link for pair in links for link in pair if link and not (ROOT / link).exists()] == []
