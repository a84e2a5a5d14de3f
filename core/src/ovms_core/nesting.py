"""How several plugins nest that wrap the same thing: what they say themselves, then what the operator says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from ovms_core.hookspecs import Place
from ovms_core.loader import PluginError

_RANKS: dict[Place | None, int] = {"outside": 0, "anywhere": 1, None: 1, "inside": 2}


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What the plugin `owner` puts around something, and where it says that it belongs."""

    owner: str
    wrap: Callable[..., Any]
    place: Place | None = None


def nest(wrappers: Iterable[Wrapper], order: Sequence[str], what: str) -> list[Wrapper]:
    """The `wrappers` of one thing, outermost first.

    Those that `order` (``plugins.order``) names come first, as it says. The others follow by what they say: outside,
    then those that say nothing or anywhere, then inside. Raises `PluginError` when that leaves two open, or
    when `order` swaps two that must not be.
    """
    named = {owner: index for index, owner in reversed([*enumerate(order)])}
    last = len(order)
    nested = sorted(wrappers, key=lambda each: (named.get(each.owner, last), _rank(each), each.owner))
    _refuse_swapped(nested, what)
    _refuse_open([each for each in nested if each.owner not in named], nested, what)
    return nested


def _rank(wrapper: Wrapper) -> int:
    return _RANKS[wrapper.place]


def _refuse_swapped(nested: Sequence[Wrapper], what: str) -> None:
    for outer, inner in combinations(nested, 2):
        if (outer.place, inner.place) == ("inside", "outside"):
            raise PluginError(
                f"plugins.order puts '{outer.owner}' outside of '{inner.owner}' around {what}, but '{inner.owner}' must "
                f"be outside of it: requests would pass by '{inner.owner}'. {_advice(sorted(nested, key=_rank))}"
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
    return f"Write their order, outermost first: plugins: {{order: [{', '.join(each.owner for each in nested)}]}}"
