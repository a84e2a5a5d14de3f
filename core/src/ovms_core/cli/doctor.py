"""``ovms doctor``."""

from __future__ import annotations

from dataclasses import asdict

import typer

from ovms_core.cli.options import AsJson, ConfigFile, ModelRepository


def doctor(config: ConfigFile = None, model_repository: ModelRepository = None, as_json: AsJson = False) -> None:
    """Check this machine and installation, and say what to do about problems.

    Exits with status 1 if something would keep the server from working.
    """
    from ovms_core.cli.output import open_console, print_json, print_table
    from ovms_core.cli.probes import Verdict, examine
    from ovms_core.configuration import read_settings

    overrides = {"model_repository": str(model_repository) if model_repository else None}
    findings = examine(read_settings(config, overrides=overrides))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(finding.subject, finding.verdict, finding.found, finding.advice) for finding in findings]
        print_table(open_console(), "Examination", ("what", "verdict", "found", "what to do"), rows)
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        raise typer.Exit(1)
