"""``ovms plugins``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ovms_core.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from ovms_core.plugin_loading.report import PluginReport

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what plugins wrap as well, and how they nest.")]


def plugins(config: ConfigFile = None, as_json: AsJson = False, verbose: Verbose = False) -> None:
    """Show the installed plugins: which are active, and why others are not."""
    from ovms_core.cli.installed import gather_quietly
    from ovms_core.cli.output import open_console, print_json, print_table
    from ovms_core.configuration import read_settings
    from ovms_core.plugin_loading.nesting import nestings

    settings = read_settings(config)
    host, offerings = gather_quietly(settings)
    reports = list(host.reports.values())
    around = nestings(host, [endpoint for _, endpoint in offerings.endpoints], offerings.settings) if verbose else {}
    if as_json:
        rows = [asdict(report) for report in reports]
        print_json({"plugins": rows, "nesting": around} if verbose else rows)
        return
    console = open_console()
    print_table(console, "Plugins", ("name", "package", "version", "state", "reason"), [*map(_row, reports)])
    nested = [(what, " > ".join(owners)) for what, owners in around.items()]
    print_table(console, "What plugins wrap", ("wrapped", "by, outermost first"), nested)


def _row(report: PluginReport) -> tuple[str, ...]:
    return report.name, report.distribution, report.version, str(report.state), report.reason
