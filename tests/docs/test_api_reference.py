"""The API reference has exactly the public names."""

from __future__ import annotations

import re
import runpy
from importlib import import_module
from typing import Any

import pytest
from tests.docs.pages import DOCS

REFERENCE: dict[str, Any] = runpy.run_path(str(DOCS / "reference.py"))
PAGE = (DOCS / "api.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `(\S+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("module", REFERENCE["MODULES"])
def test_the_public_names_are_the_documented_names(module: str) -> None:
    documented = re.findall(r"^### `(\w+)`$", SECTIONS[module], re.MULTILINE)
    assert sorted(documented) == sorted(REFERENCE["public_names"](import_module(module)))


def test_the_page_is_up_to_date() -> None:
    assert REFERENCE["page"]() == PAGE, "run: python docs/reference.py"
