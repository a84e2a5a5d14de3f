"""The examples of the plugin author's guide, importable without being installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="session", autouse=True)
def importable_examples() -> Iterator[None]:
    """Puts the examples' sources on the path."""
    with pytest.MonkeyPatch.context() as patch:
        for source in sorted(EXAMPLES.glob("*/src")):
            patch.syspath_prepend(source)
        yield
