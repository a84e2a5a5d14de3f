"""``ovms plugins``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ovms_core.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from ovms_core.loader import PluginReport


def plugins(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show the installed plugins: which are active, and why others are not."""
    from ovms_core.cli.installed import gather_quietly
    from ovms_core.cli.output import open_console, print_json, print_table
    from ovms_core.configuration import read_settings

    host, _ = gather_quietly(read_settings(config))
    reports = list(host.reports.values())
    if as_json:
        print_json([asdict(report) for report in reports])
        return
    print_table(open_console(), "Plugins", ("name", "package", "version", "state", "reason"), [*map(_row, reports)])


def _row(report: PluginReport) -> tuple[str, ...]:
    return report.name, report.distribution, report.version, str(report.state), report.reason
