"""A real command line in a process of its own, and a plugin that is installed for it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Ovms = Callable[..., "subprocess.CompletedProcess[str]"]

PLUGIN = '''
    import shutil, sys, time
    from pathlib import Path
    from ovms_core.hookspecs import hookimpl
    from ovms_core.models.source import Offer, SourceError

    class Share:
        scheme = "share"

        def locate(self, name):
            return None

        def fetch(self, name, into, *, offline, progress):
            if name == "absent":
                raise SourceError("share:absent is not there: name another.")
            progress(1, 4)
            while name == "endless":
                time.sleep(0.01)
                progress(1, 4)
            (into / "model.gguf").write_bytes(b"1234")
            progress(4, 4)

        def offers(self):
            return [Offer("small", "share:small", "text_generation", "a small one")]

    @hookimpl
    def ovms_register_sources():
        return [Share()]

    @hookimpl
    def ovms_register_commands(cli):
        @cli.command()
        def greet() -> None:
            """Say hello."""
            print("hello from a plugin")
'''


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has configured nothing, whose caches are under `tmp_path`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OVMS_")}
    return kept | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def ovms(tmp_path: Path, environment: dict[str, str]) -> Ovms:
    """Runs ``ovms`` with the given words in `tmp_path` and returns how it ended."""

    def run(*words: str, stdin: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ovms_core.cli", *words]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment | more,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def share_plugin(tmp_path: Path, environment: dict[str, str]) -> None:
    """An installed plugin with the source ``share:`` and the subcommand ``greet``."""
    site = tmp_path / "site"
    (site / "share-0.3.dist-info").mkdir(parents=True)
    (site / "share_plugin.py").write_text(textwrap.dedent(PLUGIN))
    (site / "share-0.3.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: share\nVersion: 0.3\n")
    (site / "share-0.3.dist-info" / "entry_points.txt").write_text("[ovms]\nshare = share_plugin\n")
    environment["PYTHONPATH"] = str(site)
