"""Shows how the start of a server goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from ovms_core.cli.output import open_console
from ovms_core.cli.serve import report
from ovms_core.models.model import Model, State
from ovms_core.routes.mounting import PREFIXES

if TYPE_CHECKING:
    from ovms_core.app import Application
    from ovms_core.settings import Settings

_OTHER_PREFIXES = PREFIXES[1:]


class StartupReport:
    """The `ovms_core.serve.Report` of the command line: tables on stdout, progress and log on stderr.

    Enter it while the server runs.
    """

    def __init__(self, out: Console | None = None, err: Console | None = None) -> None:
        self._out = out or open_console()
        self._err = err or open_console(stderr=True)
        self._live = Live(console=self._err, transient=True, auto_refresh=False)
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def log_to(self, level: str) -> None:
        """Let the log go to stderr, where it must not tear the progress apart."""
        logging.basicConfig(level=level.upper(), handlers=[_handler(self._err)], force=True)

    def listening(self, url: str, app: Application) -> None:
        """Plugins and routes are known, the models are on their way."""
        plugins = [report.PluginRow(p.name, p.version, str(p.state), p.remark) for p in app.server.plugins]
        report.print_plugins(self._out, plugins)
        report.print_routes(self._out, _routes(app))

    def progress(self, app: Application) -> None:
        """A line for every model that is not settled: redrawn on a terminal, else printed when it changes."""
        waiting = [model for model in app.server.models if model.state in {State.QUEUED, State.LOADING}]
        if not self._err.is_terminal:
            self._tell_changes(waiting)
        elif waiting:
            self._live.start()
            self._live.update(_lines(waiting), refresh=True)
        else:
            self._live.stop()

    def settled(self, url: str, app: Application) -> None:
        """All models are ready or have failed, or the server was stopped before."""
        self._live.stop()
        if any(model.state is State.UNLOADED for model in app.server.models):
            return
        rows = [_row(index, model, app.server.settings) for index, model in enumerate(app.server.models)]
        report.print_models(self._out, rows)
        report.print_invitation(self._out, url, rows, needs_key=app.server.admission.keyed)

    def _tell_changes(self, waiting: list[Model]) -> None:
        for model in waiting:
            doing = (model.detail or str(model.state)).partition(",")[0]
            if self._told.get(model.name) != doing:
                self._told[model.name] = doing
                self._err.print(f"{model.name}: {doing}", soft_wrap=True)


def _handler(console: Console) -> logging.Handler:
    if console.is_terminal:
        return RichHandler(console=console, show_path=False, markup=False, rich_tracebacks=False)
    handler = logging.StreamHandler(console.file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


def _lines(models: list[Model]) -> Table:
    table = Table.grid(padding=(0, 2))
    for model in models:
        table.add_row(Text(model.name), Text(model.detail or str(model.state), style="yellow"))
    return table


def _row(index: int, model: Model, settings: Settings) -> report.ModelRow:
    return report.ModelRow(
        name=model.name,
        task=model.task.name if model.task else "",
        task_from=settings.where(("models", index, "task")) or "configuration" if model.settings.task else "detected",
        device=model.info.device if model.info else model.settings.device,
        device_from=_device_from(index, model, settings),
        state=str(model.state),
        remark=model.problem or (model.info and (model.info.degraded or model.info.remark)) or "",
    )


def _device_from(index: int, model: Model, settings: Settings) -> str:
    if model.settings.device == "AUTO":
        return "AUTO"
    general = settings.where(("device",)) if model.settings.device == settings.device else None
    return general or settings.where(("models", index, "device")) or "configuration"


def _routes(app: Application) -> Iterator[report.RouteRow]:
    """Every route once: of those with a prefix, the ones with the main prefix."""
    for route in app.server.routes:
        if not any(f"{route.path}/".startswith(f"{prefix}/") for prefix in _OTHER_PREFIXES):
            yield report.RouteRow(route.method, route.path, route.owner)
