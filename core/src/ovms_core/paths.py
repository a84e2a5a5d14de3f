"""Paths as users without a home folder, or without the right to look everywhere, meet them: in containers."""

from __future__ import annotations

from pathlib import Path


def home() -> Path | None:
    """The home folder; `None` when neither ``HOME`` nor the system's list of users names one. It may be ``/``."""
    try:
        folder = Path.home()
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None


def is_there(path: Path) -> bool:
    """Whether something is at `path`, as far as this user may know."""
    try:
        return path.exists()
    except PermissionError:
        return False
