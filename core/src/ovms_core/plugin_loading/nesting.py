"""What wraps a request, and how it nests: as the plugins say, or else the operator; order of names never decides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, cast

from starlette.types import ASGIApp

from ovms_core.errors import PluginError
from ovms_core.hookspecs import Place, place_of
from ovms_core.plugin_loading.checks.functions import described, placed
from ovms_core.plugin_loading.failure import HookError, failure_of
from ovms_core.plugin_loading.host import OWN, PluginHost

if TYPE_CHECKING:
    from ovms_core.calls.endpoint import Endpoint
    from ovms_core.settings import Settings

log = logging.getLogger("ovms.plugins")

_RANKS: dict[Place | None, int] = {"outside": 0, "anywhere": 1, None: 1, "inside": 2}


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What the plugin `owner` puts around something, and where it says that it belongs."""

    owner: str
    wrap: Callable[..., Any]
    place: Place | None = None

    def around(self, app: ASGIApp) -> ASGIApp:
        """What the plugin's middleware makes of `app`. Raises `PluginError` if that fails."""
        try:
            outer: Any = self.wrap(app)
        except Exception as error:
            raise PluginError(f"Plugin '{self.owner}': {failure_of(error, 'its middleware failed').reason}") from error
        if not callable(outer):
            message = f"Plugin '{self.owner}': its middleware returned {described(outer)}, not an ASGI application"
            raise PluginError(placed(message, self.wrap))
        return cast(ASGIApp, outer)


def server_wrappers(host: PluginHost, settings: Settings) -> list[Wrapper]:
    """The middleware around everything, outermost first. Raises `PluginError`, as the next two do."""
    return _asked(host, "ovms_wrap_server", "the server", settings)


def app_wrappers(host: PluginHost, settings: Settings) -> list[Wrapper]:
    """The middleware around the routes, outermost first."""
    return _asked(host, "ovms_wrap_app", "the application", settings)


def execution_wrappers(host: PluginHost, endpoint: Endpoint[Any], settings: Settings) -> list[Wrapper]:
    """The interceptors of `endpoint`, outermost first."""
    what = f"the execution of {endpoint.method} {endpoint.path}"
    return _asked(host, "ovms_wrap_execution", what, settings, endpoint=endpoint)


def nestings(host: PluginHost, endpoints: Iterable[Endpoint[Any]], settings: Settings) -> dict[str, list[str]]:
    """What is wrapped, and the names of the plugins that wrap it, outermost first."""
    around = {"server": server_wrappers(host, settings), "application": app_wrappers(host, settings)}
    for endpoint in endpoints:
        around[f"{endpoint.method} {endpoint.path}"] = execution_wrappers(host, endpoint, settings)
    return {what: [each.owner for each in wrappers] for what, wrappers in around.items() if wrappers}


def _asked(host: PluginHost, hook: str, what: str, settings: Settings, **arguments: Any) -> list[Wrapper]:
    nested = nest(_answers(host, hook, settings=settings, **arguments), settings.plugins.order, what)
    for outer, inner in combinations(nested, 2):
        if (outer.place, inner.place) == (None, "outside"):
            _warn(host, outer.owner, inner.owner, nested)
    return nested


def _warn(host: PluginHost, outer: str, guard: str, nested: Iterable[Wrapper]) -> None:
    """The operator may know that `outer` is harmless. Said once, for many endpoints are wrapped alike."""
    if (outer, guard) not in host.warned:
        host.warned.add((outer, guard))
        message = (
            "plugins.order puts '%s' outside of '%s': if '%s' answers by itself, '%s' does not see that request. %s"
        )
        log.warning(message, outer, guard, outer, guard, _advice(sorted(nested, key=_rank)))


def _answers(host: PluginHost, hook: str, **arguments: Any) -> Iterable[Wrapper]:
    """What plugins may guard requests with: one that fails stops the startup."""
    for owner, implementation in host.implementations(hook):
        try:
            wrap = implementation(**arguments)
        except HookError as error:
            host.quarantine(owner, error.failure)
            continue
        if wrap is not None:
            yield Wrapper(owner, wrap, place_of(implementation))


def nest(wrappers: Iterable[Wrapper], order: Sequence[str], what: str) -> list[Wrapper]:
    """The `wrappers` of one thing, outermost first.

    The core's own comes first: it only watches. Then those that `order` (``plugins.order``) names, as it says. The
    others follow by what they say: outside, then those that say nothing or anywhere, then inside. Raises `PluginError`
    when that leaves two open, or when `order` swaps two that must not be.
    """
    named = {owner: index for index, owner in reversed([*enumerate(order)])}
    last = len(order)
    nested = sorted(
        wrappers, key=lambda each: (each.owner != OWN, named.get(each.owner, last), _rank(each), each.owner)
    )
    _refuse_swapped(nested, what)
    _refuse_open([each for each in nested if each.owner not in named], nested, what)
    return nested


def _rank(wrapper: Wrapper) -> int:
    return _RANKS[wrapper.place]


def _refuse_swapped(nested: Sequence[Wrapper], what: str) -> None:
    for outer, inner in combinations(nested, 2):
        if (outer.place, inner.place) == ("inside", "outside"):
            raise PluginError(
                f"plugins.order puts '{outer.owner}' outside of '{inner.owner}' around {what}, where '{inner.owner}' "
                f"must be outside, or requests would pass it by. {_advice(sorted(nested, key=_rank))}"
            )


def _refuse_open(unnamed: Sequence[Wrapper], nested: Sequence[Wrapper], what: str) -> None:
    """Two guards, two caches, or two that say nothing: what comes out may differ, so somebody must have chosen."""
    for one, two in pairwise(each for each in unnamed if each.place != "anywhere"):
        if _rank(one) == _rank(two):
            raise PluginError(
                f"Plugins '{one.owner}' and '{two.owner}' both wrap {what}, and nothing says which of them stands "
                f"outside. {_advice(nested)}"
            )


def _advice(nested: Iterable[Wrapper]) -> str:
    names = ", ".join(each.owner for each in nested if each.owner != OWN)
    return f"Write their order, outermost first: plugins: {{order: [{names}]}}"
