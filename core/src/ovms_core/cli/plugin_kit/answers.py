"""What a new plugin is called, and what it is."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass, replace

import typer
from packaging.version import Version

import ovms_core

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_PREFIX = "ovms-"
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the template leaves open."""

    distribution: str
    path: str
    description: str
    author: str

    @classmethod
    def of(cls, name: str) -> Answers:
        """What is taken for granted of a plugin called `name`. Raises `typer.BadParameter` for what is no name."""
        package = name.replace("-", "_")
        if not _NAME.fullmatch(name):
            raise typer.BadParameter(
                f"'{name}' is no name for a package: use lower-case letters, digits and dashes, such as word-count."
            )
        if keyword.iskeyword(package) or package in sys.stdlib_module_names or package == "ovms_core":
            raise typer.BadParameter(f"'{name}' is taken, by Python or by ovms-core: choose another name.")
        distribution = name.replace("_", "-")
        return cls(distribution, f"/{_plugin(distribution)}", "An endpoint for ovms-core", "the authors")

    def asked(self) -> Answers:
        """The answers of whoever sits at the terminal; Enter takes what is proposed.

        Raises `typer.BadParameter` where nobody answers.
        """
        try:
            return replace(
                self,
                description=_one_line("What is it, in a line?", self.description),
                path=_path(self.path),
                author=_one_line("Who writes it?", self.author),
            )
        except typer.Abort:
            if sys.stdin.isatty():
                raise
            typer.echo()
            raise typer.BadParameter("there is no terminal to ask: add --yes to take what is proposed.") from None

    def values(self) -> dict[str, str]:
        """By the names that the template has for them."""
        plugin = _plugin(self.distribution)
        return {
            "package": self.distribution.replace("-", "_"),
            "plugin": plugin,
            "distribution": self.distribution,
            "name": "".join(part.capitalize() for part in plugin.split("_")),
            "path": self.path,
            "description": self.description,
            "author": self.author,
            "core": _this_series(),
        }


def _plugin(distribution: str) -> str:
    """The plugin's name: the package ``ovms-shout`` has the plugin ``shout``."""
    return distribution.removeprefix(_PREFIX).replace("-", "_")


def _one_line(question: str, default: str) -> str:
    answer: str = typer.prompt(question, default=default)
    return answer.replace('"', "'").replace("\\", "/").rstrip(".")


def _path(default: str) -> str:
    answer: str = typer.prompt("At which path does it answer?", default=default)
    if not _PATH.fullmatch(answer):
        raise typer.BadParameter(f"'{answer}' is no path: write it like {default}.")
    return answer


def _this_series() -> str:
    """The range of versions of the core that promise to be compatible with this one."""
    version = Version(ovms_core.__version__)
    return f">={version.major}.{version.minor},<{version.major}.{version.minor + 1}"
