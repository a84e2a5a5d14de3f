"""Writes a new plugin from the template."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template

import typer

from ovms_core.cli.plugin_kit.answers import Answers

_SUFFIX = ".tmpl"


def write_plugin(answers: Answers, folder: Path) -> Path:
    """Write the plugin into `folder`, which must not exist. Raises `typer.BadParameter`."""
    if folder.exists():
        raise typer.BadParameter(f"'{folder}' exists already: choose another name, or move it away.")
    values = answers.values()
    try:
        for path, text in _template(files("ovms_core") / "templates" / "plugin"):
            file = folder / _renamed(path, values["package"])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(text).substitute(values), encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # half a plugin is worse than none
        raise
    return folder


def _template(folder: Traversable, *inside: str) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _template(entry, *inside, entry.name)
        elif entry.name.endswith(_SUFFIX):
            yield PurePosixPath(*inside, entry.name), entry.read_text(encoding="utf-8")


def _renamed(path: PurePosixPath, package: str) -> PurePosixPath:
    """Hidden files are not hidden in the template, and the package has its own name."""
    hidden = re.sub(r"(^|/)dot\.", r"\1.", str(path).removesuffix(_SUFFIX))
    return PurePosixPath(re.sub(r"\b(test_)?package\b", rf"\g<1>{package}", hidden))
