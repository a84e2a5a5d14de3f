"""The command ``ovms``. Importing it loads nothing heavy: every command imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Sequence

_INTERRUPTED = 130
"""What a shell reports of a command that Ctrl-C ended."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``ovms`` with `arguments`, by default those of the process. Ends in `SystemExit`."""
    try:
        from ovms_core.cli import app  # takes a tenth of a second, in which Ctrl-C may come

        app.main(arguments)
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None


__all__ = ["main"]
