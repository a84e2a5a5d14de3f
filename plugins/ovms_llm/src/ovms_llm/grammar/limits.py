"""How large a grammar may be: what is refused before the engine could choke on it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Limits(Struct, frozen=True):
    """Limits on one grammar, told by the engine and set by the operator.

    `characters` bound what the client sends as text, `depth` the nesting of a schema or an expression, and `size` the
    states that XGrammar makes of the grammar once repetitions are written out, which is what compiling costs.
    """

    characters: int = 200_000
    depth: int = 64
    size: int = 40_000


DEFAULTS: Final = Limits()
