"""Plugins are found, checked, and set aside one by one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
from tests.core.support import echo, plugin, talking

from ovms_core.errors import PluginError
from ovms_core.hookspecs import hookimpl
from ovms_core.plugin_loading.failure import Failure
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.plugin_loading.loader import load_plugins
from ovms_core.plugin_report import PluginReport, PluginState
from ovms_core.settings import PluginSettings

GOOD = """
from ovms_core.plugin import hookimpl

@hookimpl
def ovms_register_tasks():
    return []
"""


class Site:
    """A folder on `sys.path` with distributions in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, distribution: str, code: str = GOOD, *, name: str | None = None, requires: str = "") -> None:
        """A distribution whose plugin `name` is the module of the distribution's name, with this `code`."""
        module = distribution.replace("-", "_")
        info = self.folder / f"{module}-1.2.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        (info / "METADATA").write_text(metadata + (f"Requires-Dist: {requires}\n" if requires else ""))
        (info / "entry_points.txt").write_text(f"[ovms]\n{name or distribution} = {module}\n")
        (self.folder / f"{module}.py").write_text(code)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    yield Site(tmp_path)
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def load(*names: str, **settings: Any) -> PluginHost:
    """The host, of the installed plugins only those of a test."""
    return load_plugins(PluginSettings(**{"allow": list(names), **settings}))


def state(host: PluginHost, name: str) -> PluginReport:
    return host.reports[name]


def test_an_installed_plugin_is_active_with_its_distribution_and_version(site: Site) -> None:
    site.install("acme-good")
    report = state(load("acme-good"), "acme-good")
    assert (report.state, report.distribution, report.version) == (PluginState.ACTIVE, "acme-good", "1.2")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("def (", "cannot be imported: SyntaxError"),
        ("", "implements no hook: mark its functions with @hookimpl"),
        (GOOD.replace("tasks()", "task()"), "ovms_register_task (did you mean ovms_register_tasks?)"),
        (GOOD.replace("tasks()", "tasks(settings)"), "settings"),
        (GOOD + "\ndef ovms_observe(settings): ...", "does not mark ovms_observe with @hookimpl"),
    ],
    ids=["import", "raises", "exits", "syntax", "no hook", "misspelt", "signature", "unmarked"],
)
def test_a_broken_plugin_is_quarantined_with_its_reason_and_the_others_serve(
    site: Site, code: str, reason: str
) -> None:
    site.install("acme-broken", code)
    site.install("acme-good")
    host = load("acme-broken", "acme-good")
    assert state(host, "acme-broken").state is PluginState.QUARANTINED
    assert reason in state(host, "acme-broken").reason
    assert host.active() == ["core", "acme-good"]


@pytest.mark.parametrize("requires", ["ovms-core>=99", "ovms_core<0.0.1", "ovms-core==99.*"])
def test_a_plugin_for_another_core_is_incompatible_and_not_imported(site: Site, requires: str) -> None:
    name = "acme-other"
    site.install(name, "raise AssertionError('imported')", requires=requires)
    report = state(load(name), name)
    assert report.state is PluginState.INCOMPATIBLE
    assert report.reason.startswith("needs ovms-core")


@pytest.mark.parametrize("requires", ["ovms-core<99,>=0.0.1", 'ovms-core>=99; extra == "later"', "starlette>=99", "?!"])
def test_a_plugin_for_this_core_is_active_whatever_else_it_requires(site: Site, requires: str) -> None:
    site.install("acme-fitting", requires=requires)
    assert state(load("acme-fitting"), "acme-fitting").state is PluginState.ACTIVE


def test_two_distributions_with_one_name_stop_the_start_with_both_names(site: Site) -> None:
    site.install("acme-one", name="shared")
    site.install("acme-two", name="shared")
    with pytest.raises(PluginError, match=r"named 'shared': 'acme-one' and 'acme-two'\. Uninstall one"):
        load("shared")


def test_the_name_of_the_core_is_taken(site: Site) -> None:
    site.install("acme-thief", name="core")
    with pytest.raises(PluginError, match="'acme-thief' names its plugin 'core'"):
        load()


def test_plugins_are_blocked_by_name_and_by_not_being_allowed(site: Site) -> None:
    for name in ("acme-a", "acme-b", "acme-c"):
        site.install(name, "raise AssertionError('imported')" if name != "acme-a" else GOOD)
    host = load("acme-a", "acme-b", block=["acme-b"])
    assert state(host, "acme-a").state is PluginState.ACTIVE
    assert state(host, "acme-b").state is PluginState.BLOCKED
    assert state(host, "acme-c").state is PluginState.BLOCKED


@pytest.mark.parametrize("setting", ["block", "order"])
def test_a_name_that_no_plugin_has_is_warned_of(site: Site, caplog: pytest.LogCaptureFixture, setting: str) -> None:
    site.install("acme-package", name="acme")
    load("acme", **{setting: ["acme-package"]})
    (message,) = caplog.messages
    assert message.startswith(f"plugins.{setting}: there is no plugin 'acme-package'. Installed are acme, ")


def test_a_required_plugin_must_work(site: Site) -> None:
    site.install("acme-needed", "1 / 0")
    with pytest.raises(PluginError, match=r"'acme-needed' is required.*quarantined: cannot be imported"):
        load("acme-needed", required=["acme-needed"])
    with pytest.raises(PluginError, match=r"'acme-missing' is required .* but not installed"):
        load(required=["acme-missing"])


def test_plugins_given_by_hand_are_the_only_ones(site: Site) -> None:
    site.install("acme-installed")
    host = load_plugins(PluginSettings(), [talking(echo)])
    assert sorted(host.reports) == ["core", "talk"]


def test_hooks_are_asked_in_the_order_of_the_plugins_names() -> None:
    def tasks() -> list[Any]:
        return []

    host = load_plugins(PluginSettings(), [plugin(name, ovms_register_tasks=tasks) for name in "cab"])
    assert [owner for owner, _ in host.implementations("ovms_register_tasks")] == ["a", "b", "c"]


def test_a_plugin_that_may_guard_requests_is_never_just_set_aside() -> None:
    class Guard:
        @hookimpl
        def ovms_wrap_execution(self, endpoint: Any) -> None:
            return None

    host = load_plugins(PluginSettings(), [Guard()])
    with pytest.raises(PluginError, match="may guard requests"):
        host.quarantine("Guard", Failure("it is tired"))


async def _asynchronous(endpoint: Any) -> None: ...


@pluggy.HookimplMarker("ovms")(wrapper=True)
def _wrapping(endpoint: Any) -> Iterator[Any]:
    return (yield)


BROKEN_GUARDS = [
    plugin("guard", ovms_wrap_execution=lambda endpoint: None, ovms_observee=lambda: None),
    plugin("guard", ovms_wrap_executon=lambda endpoint: None),
    plugin("guard", ovms_wrap_execution=lambda endpoint, request: None),
    plugin("guard", ovms_wrap_app=lambda: None, ovms_observe=lambda request: None),
    plugin("guard", ovms_wrap_execution=_asynchronous),
    SimpleNamespace(__name__="guard", ovms_wrap_execution=_wrapping),
    SimpleNamespace(__name__="guard", ovms_wrap_execution=lambda endpoint: None),
]


@pytest.mark.parametrize("guard", BROKEN_GUARDS)
def test_a_plugin_that_means_to_guard_requests_and_does_not_fit_stops_the_start(guard: object) -> None:
    """If it were only set aside, requests would pass unguarded."""
    with pytest.raises(PluginError, match="may guard requests"):
        load_plugins(PluginSettings(), [guard])


@pytest.mark.parametrize("hook", ["ovms_parser", "ovms_formatter"])
def test_a_hook_that_is_a_coroutine_or_a_wrapper_quarantines_its_plugin(hook: str) -> None:
    odd = [plugin("a", **{hook: _asynchronous}), SimpleNamespace(__name__="b", **{hook: _wrapping})]
    host = load_plugins(PluginSettings(), odd)
    for name in "ab":
        assert f"implements {hook} as a coroutine or wrapper" in host.reports[name].reason


class Plugin:
    """A plugin as a class: an object of it can be one, it itself cannot."""

    @hookimpl
    def ovms_register_tasks(self) -> list[Any]:
        return []


def test_an_object_is_a_plugin_and_its_class_is_none() -> None:
    assert load_plugins(PluginSettings(), [Plugin()]).reports["Plugin"].state is PluginState.ACTIVE
    assert "an object of it (Plugin())" in load_plugins(PluginSettings(), [Plugin]).reports["Plugin"].reason


def test_what_a_hook_takes_by_keyword_only_is_refused_and_what_it_remembers_in_a_default_is_not() -> None:
    def keyword(*, settings: Any) -> list[Any]:
        return []

    def remembering(settings: Any, paths: tuple[str, ...] = ("/a",)) -> list[Any]:
        return []

    plugins = [plugin("keyword", ovms_register_routes=keyword), plugin("memory", ovms_register_routes=remembering)]
    reports = load_plugins(PluginSettings(), plugins).reports
    assert "takes 'settings' of ovms_register_routes by keyword only" in reports["keyword"].reason
    assert reports["memory"].state is PluginState.ACTIVE


@pytest.mark.parametrize(("requires", "package"), [("ovms-core>=99", "ovms-core"), ("ovms-core<0.0.1", "acme-other")])
def test_what_is_to_be_upgraded_is_the_older_of_the_two(site: Site, requires: str, package: str) -> None:
    site.install("acme-other", requires=requires)
    assert state(load("acme-other"), "acme-other").advice == f"Run: pip install --upgrade {package}"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("import no_such_module", "most likely with: pip install no-such-module"),
        ("from acme_broken.part import x", "Correct the plugin's code"),
        ("1 / 0", "Correct the plugin's code"),
    ],
)
def test_the_advice_fits_the_reason(site: Site, code: str, advice: str) -> None:
    site.install("acme-broken", code)
    assert advice in state(load("acme-broken"), "acme-broken").advice


def test_where_its_code_failed_is_kept_from_the_authors_first_line_on(site: Site) -> None:
    site.install("acme-broken", "def fail():\n    raise ValueError('no luck')\n\nfail()\n")
    report = state(load("acme-broken"), "acme-broken")
    assert report.reason.endswith(f"ValueError: no luck ({site.folder}/acme_broken.py:2 in fail)")
    assert report.traceback.splitlines()[1].endswith('acme_broken.py", line 4, in <module>')
