"""Every hook is documented with its exact signature, tested, and used by the project itself."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, ROOT

from ovms_core import hookspecs

HOOKS = [name for name in vars(hookspecs) if name.startswith("ovms_")]
PAGE = (DOCS / "hooks.md").read_text(encoding="utf-8")
ONLY_SHOWN = {"ovms_authenticate"}
"""Hooks whose only user is the example in the reference: first-party code would use interceptors."""
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_the_headings_are_the_hooks_in_their_order() -> None:
    assert list(SECTIONS) == HOOKS


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_its_exact_signature(hook: str) -> None:
    signature = str(inspect.signature(getattr(hookspecs, hook))).replace("'", "")
    block = re.search(r"```python\n(.*?)\n```", SECTIONS[hook], re.DOTALL)
    assert block is not None
    assert block[1] == f"def {hook}{signature}: ..."


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("row", ["| returns |", "| combined |", "| if it raises |"])
def test_a_hook_says_how_its_answers_are_taken(hook: str, row: str) -> None:
    assert row in SECTIONS[hook]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_test(hook: str) -> None:
    tests = [file for file in (ROOT / "tests").rglob("*.py") if "docs" not in file.parts]
    assert any(hook in file.read_text(encoding="utf-8") for file in tests)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_first_party_user(hook: str) -> None:
    snippets = list((DOCS / "snippets" / "hooks").glob("*.py")) if hook in ONLY_SHOWN else []
    assert any(_implements(file, hook) for file in [*_first_party(), *snippets])


def _first_party() -> list[Path]:
    packages = [ROOT / "core" / "src", *(ROOT / "plugins").glob("*/src"), *(DOCS / "examples").glob("*/src")]
    return [file for folder in packages for file in folder.rglob("*.py") if file.name != "recorder.py"]


def _implements(file: Path, hook: str) -> bool:
    return re.search(rf"@hookimpl(\(.+\))?\n\s*def {hook}\(", file.read_text(encoding="utf-8")) is not None
