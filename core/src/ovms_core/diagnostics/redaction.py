"""Keeps what only the operator should see out of what clients are told."""

from __future__ import annotations

import re
from functools import lru_cache

from ovms_core.paths import home

_FOLDERS = re.compile(r"(?<![\w:/.~\\])(?:~?/|[A-Za-z]:[\\/])(?:[^\s/\\'\":;,()<>|]+[/\\])+")
_QUOTED = re.compile(r"(?<=['\"])(?:~?/|[A-Za-z]:[\\/])[^'\"\n]*[/\\](?=[^'\"/\\\n]*['\"])")
"""As `_FOLDERS`, for a path in quotes, which may have spaces in it."""


def without_paths(text: str) -> str:
    """`text` with every absolute path cut down to its last part: ``/srv/models/a.xml`` as ``…/a.xml``."""
    return _FOLDERS.sub("…/", _QUOTED.sub("…/", _without_home(text)))


def _without_home(text: str) -> str:
    """`text` with ``~`` for the home folder, where that has a name of its own: ``/`` is in every path."""
    folder = home()
    return text if folder is None or not folder.name else _whole(str(folder)).sub("~", text)


@lru_cache
def _whole(path: str) -> re.Pattern[str]:
    """`path`, but not as a part of another: ``/srv/app`` is neither in ``/srv/app2`` nor in ``/mnt/srv/app``."""
    return re.compile(rf"(?<![\w/.~-]){re.escape(path)}(?![\w-]|\.\w)")
