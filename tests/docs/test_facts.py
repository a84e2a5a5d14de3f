"""Tables that repeat what the code knows say what the code says."""

from __future__ import annotations

import re
from functools import cache

import pytest
from tests.docs.pages import DOCS, ROOT

from ovms_core.cli.installed import gather_quietly
from ovms_core.configuration.environment import variables
from ovms_core.plugin_loading.offerings import Offerings
from ovms_core.settings import Settings

OPTION_PAGES = {
    "text_generation": "chat.md",
    "embeddings": "embeddings.md",
    "rerank": "rerank.md",
    "image_generation": "images.md",
}
TROUBLESHOOTING = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")


@cache
def sources() -> str:
    """What is served, as text: the core without its test kit, and the plugins; strings in pieces are put together."""
    roots = [ROOT / "core/src", *(ROOT / "plugins").glob("*/src")]
    files = [file for root in roots for file in sorted(root.rglob("*.py"))]
    served = [file for file in files if not {"testing", "ovms_conformance"} & set(file.parts)]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(file.read_text(encoding="utf-8") for file in served))


def first_cells(text: str) -> set[str]:
    """The names in the first column of all tables of `text`."""
    rows = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.fixture(scope="module")
def offerings() -> Offerings:
    """What the first-party plugins offer."""
    return gather_quietly(Settings())[1]


@pytest.mark.parametrize("task", OPTION_PAGES)
def test_the_options_of_a_task_are_the_documented_ones(task: str, offerings: Offerings) -> None:
    page = (DOCS / "endpoints" / OPTION_PAGES[task]).read_text(encoding="utf-8")
    section = re.search(r"^## Options of the model\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert first_cells(section[1]) == set(offerings.tasks[task].options.model_fields)


def test_what_a_move_needs_is_there(offerings: Offerings) -> None:
    moving = (DOCS / "comparison.md").read_text(encoding="utf-8").partition("## Moving from")[2]
    options = {name for task in offerings.tasks.values() for name in task.options.model_fields}
    assert set(re.findall(r"`options\.(\w+)", moving)) - options == set()
    known = {name for name, _ in variables()} | {"OVMS_API_KEY", "OVMS_MODEL_REPOSITORY_PATH"}
    assert set(re.findall(r"`(OVMS_\w+)`", moving)) - known == set()


def test_every_error_code_is_explained() -> None:
    section = TROUBLESHOOTING.partition("## By code")[2].partition("\n## ")[0]
    assert first_cells(section) == set(re.findall(r"""\bcode="(\w+)\"""", sources())) | _passed_on()


def _passed_on() -> set[str]:
    """Codes that are handed to a function instead of a parameter `code`."""
    return {code for code in ("missing_api_key", "invalid_api_key") if f'"{code}"' in sources()}


MESSAGES = re.findall(r"^`([^`]+)`\n: ", TROUBLESHOOTING, re.MULTILINE)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_that_is_explained_is_given(message: str) -> None:
    fragments = [fragment.strip(" '") for fragment in message.split("…")]
    assert all(fragment in sources() for fragment in fragments if len(fragment) > 2)


def test_the_metrics_are_the_documented_ones() -> None:
    section = (DOCS / "operations.md").read_text(encoding="utf-8").partition("## Metrics")[2].partition("\n## ")[0]
    source = "".join((ROOT / "core/src/ovms_core" / file).read_text() for file in ("metrics.py", "background.py"))
    kinds = re.findall(r'(Counter)?\(\s*"(ovms_\w+)"', source)
    assert first_cells(section) == {f"{name}_total" if kind else name for kind, name in kinds}
