"""The generated pages are those that the code would generate now."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ovms_core.cli.app import create_cli
from ovms_core.cli.plugin_commands import add_plugin_commands

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, str] = runpy.run_path(str(DOCS / "settings_and_commands.py"))["pages"]()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name], "run: python docs/settings_and_commands.py"


def test_every_command_has_a_heading() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    cli = create_cli()
    add_plugin_commands(cli)
    missing = [name for name in _names("ovms", typer.main.get_command(cli)) if f"## `{name}`\n" not in page]
    assert missing == []


def _names(name: str, command: Any) -> Iterator[str]:
    yield name
    for inner, subcommand in getattr(command, "commands", {}).items():
        yield from _names(f"{name} {inner}", subcommand)
