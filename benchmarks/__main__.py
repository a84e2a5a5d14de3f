"""All figures, one after the other; or those named: ``python -m benchmarks chat nothing``."""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = ("nothing", "chat", "guided", "embeddings", "rerank", "images")


def main(names: list[str]) -> int:
    """Run the benchmarks called `names`, or all."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(NAMES)}")
        return 2
    for name in names or NAMES:
        import_module(f"benchmarks.{name}").main()
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
