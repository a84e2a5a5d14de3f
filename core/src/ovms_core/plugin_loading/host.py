"""The plugins of one application: each is checked when it is added, and has a report on what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import pluggy

from ovms_core import hookspecs
from ovms_core.configuration.errors import ConfigurationError
from ovms_core.errors import PluginError
from ovms_core.plugin_loading.failure import Failure, HookError, failure_of
from ovms_core.plugin_loading.implementations import GUARDS, check_implementations, means_to_guard
from ovms_core.plugin_loading.slow import told_if_slow
from ovms_core.plugin_report import PluginReport, PluginState

log = logging.getLogger("ovms.plugins")

OWN = "core"
"""The name of the core's own plugin, which always comes first."""


class PluginHost:
    """The pluggy host of one application: its plugins, each with a report on what became of it.

    What must stop the start raises `PluginError`, unless the plugins are only `examined`: then it stands in `stops`.
    """

    def __init__(self, *, examined: bool = False) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.reports: dict[str, PluginReport] = {}
        self.warned: set[tuple[str, str]] = set()
        """The pairs of plugins that the operator was warned of."""
        self.stops: list[str] = []
        """Why a server would not start."""
        self._examined = examined

    def add(self, report: PluginReport, plugin: object) -> None:
        """Register `plugin`. Raises `PluginError` for a misspelt hook or a wrong signature."""
        self.reports[report.name] = report
        check_implementations(plugin)
        self.manager.register(plugin, name=report.name)

    def quarantine(
        self, name: str, failure: Failure, state: PluginState = PluginState.QUARANTINED, *, plugin: object = None
    ) -> None:
        """Take a plugin out of service, and say why; `plugin` is one that could not be registered.

        Raises `PluginError` for one that guards requests, or means to.
        """
        guards = any(owner == name for hook in GUARDS for owner, _ in self.implementations(hook))
        report = self.reports[name]
        report.state, report.reason = state, failure.reason
        report.traceback, report.advice = failure.traceback, failure.advice
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)
        if guards or means_to_guard(plugin):
            self._stop_for_guard(f"Plugin '{name}': {failure.reason}", failure.traceback)
        else:
            log.error("plugin %s is %s: %s", name, state, _with(failure.reason, failure.traceback))

    def _stop_for_guard(self, message: str, traceback: str) -> None:
        """Without the guard, requests would pass unguarded."""
        if traceback:
            log.error("%s", _with(message, traceback))
        self.stop(f"{message}. It may guard requests, so the server does not start without it.")

    def stop(self, message: str) -> None:
        """Raise `PluginError`, for the server must not start; note it if the plugins are only examined."""
        if not self._examined:
            raise PluginError(message)
        if message not in self.stops:
            self.stops.append(message)

    def warn(self, name: str, failure: Failure) -> None:
        """Log what is wrong with a plugin that stays in service, and keep it for its report."""
        report = self.reports[name]
        report.warnings.append(failure.reason)
        report.traceback = report.traceback or failure.traceback
        log.warning("plugin %s: %s", name, _with(failure.reason, failure.traceback))

    def active(self) -> list[str]:
        """The names of the plugins in service, sorted, core's own first."""
        return sorted((name for name, _ in self.manager.list_name_plugin()), key=_core_first)

    def ask(self, plugin: str, hook: str, **arguments: Any) -> Any:
        """One plugin's answer to a hook; `None` when it does not implement it. Raises `HookError`."""
        found = dict(self.implementations(hook))
        return found[plugin](**arguments) if plugin in found else None

    def implementations(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        """Each active plugin's implementation of `hook`, sorted by plugin name, the core's own first.

        The functions take the hook's arguments by name, like the hook itself. They raise `HookError` for what the
        plugin raises, and for an answer that is not what the hook returns.
        """
        found = {each.plugin_name: _checked(hook, each) for each in getattr(self.manager.hook, hook).get_hookimpls()}
        return sorted(found.items(), key=lambda pair: _core_first(pair[0]))


def _core_first(name: str) -> tuple[bool, str]:
    return name != OWN, name


def _with(message: str, traceback: str) -> str:
    return f"{message}\n{traceback}" if traceback else message


def _checked(hook: str, impl: pluggy.HookImpl) -> Callable[..., Any]:
    @wraps(impl.function)
    def call(**arguments: Any) -> Any:
        try:
            with told_if_slow(impl.plugin_name, hook):
                answer = impl.function(*(arguments[name] for name in impl.argnames))
                return _check(hook, answer, impl.function)
        except (ConfigurationError, KeyboardInterrupt):
            raise  # what the operator wrote is wrong: as with every other setting, that stops the start
        except BaseException as error:
            raise HookError(failure_of(error, f"{hook} failed")) from error

    return call


def _check(hook: str, answer: Any, implementation: Callable[..., Any]) -> Any:
    if hook == "ovms_register_commands":
        return answer  # nobody uses it; and help must not wait for what the others import
    from ovms_core.plugin_loading.checks.answers import check_answer

    return check_answer(hook, answer, implementation)
