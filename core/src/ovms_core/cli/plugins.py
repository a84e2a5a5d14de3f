"""``ovms plugins``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ovms_core.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from ovms_core.plugin_report import PluginReport

Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show errors in full, and the order of plugins that wrap requests.")
]


def plugins(config: ConfigFile = None, as_json: AsJson = False, verbose: Verbose = False) -> None:
    """List the installed plugins: which are active, and why others are not.

    Exits with status 2 if the server would not start with them.
    """
    from ovms_core.cli.installed import examined_plugins
    from ovms_core.cli.output import open_console, print_json, print_table
    from ovms_core.configuration import read_settings

    settings = read_settings(config)
    host, around = examined_plugins(settings)
    reports = list(host.reports.values())
    if as_json:
        rows = [asdict(report) for report in reports]
        print_json({"plugins": rows, "nesting": around} if verbose else rows)
    else:
        console = open_console()
        print_table(console, "Plugins", ("name", "package", "version", "state", "reason"), [*map(_row, reports)])
        if verbose:
            _print_accounts(console, reports)
            nested = [(what, " > ".join(owners)) for what, owners in around.items()]
            print_table(console, "What plugins wrap", ("wrapped", "by, outermost first"), nested)
    for reason in host.stops:
        typer.secho(f"ovms: {reason}", err=True, fg="red")
    if host.stops:
        raise typer.Exit(2)


def _print_accounts(console: Console, reports: Iterable[PluginReport]) -> None:
    """What is wrong with each plugin in full, and what to do about it."""
    for report in reports:
        if report.remark and report.state != "blocked":
            advice = f"\n{report.advice}." if report.advice else ""
            console.print(f"{report.name} is {report.state}: {report.account}{advice}\n", soft_wrap=True)


def _row(report: PluginReport) -> tuple[str, ...]:
    return report.name, report.distribution, report.version, str(report.state), report.remark
