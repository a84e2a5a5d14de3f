"""``ovms plugin``: for those who write plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ovms_core.cli.options import AsJson

__all__ = ["plugin"]

plugin = typer.Typer(help="Create and check plugins.", no_args_is_help=True, rich_markup_mode=None)


@plugin.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The package's name, such as word-count.")],
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
) -> None:
    """Create a plugin in ./NAME: an endpoint with its engine, tests that pass, and CI."""
    from ovms_core.cli.plugin_kit.answers import Answers
    from ovms_core.cli.plugin_kit.scaffold import write_plugin

    answers = Answers.of(name)
    folder = write_plugin(answers if yes else answers.asked(), Path(name))
    typer.echo(f"Wrote {folder}/. Next:\n\n  cd {folder}\n  pip install -e . 'ovms-core[testing]'\n  pytest")


@plugin.command()
def check(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="The name of an installed package or plugin.")],
    tests: Annotated[Path | None, typer.Option(help="The contract tests; by default those beside its source.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check an installed plugin: whether it loads, has conflicts, and passes its contract tests.

    Exits with status 1 if something is wrong with it.
    """
    from dataclasses import asdict

    from ovms_core.cli.output import open_console, print_json, print_table
    from ovms_core.cli.plugin_kit.examination import examine_plugin
    from ovms_core.cli.probes import Verdict

    findings = list(examine_plugin(package, tests))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(each.subject, each.verdict, each.found, each.advice) for each in findings]
        print_table(open_console(), package, ("what", "verdict", "found", "what to do"), rows)
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise typer.Exit(1)
