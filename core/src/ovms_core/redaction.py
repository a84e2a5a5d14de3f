"""Keeps what only the operator should see out of what clients are told."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDERS = re.compile(r"(?<![\w:/.~\\])(?:~?/|[A-Za-z]:[\\/])(?:[^\s/\\'\":;,()<>|]+[/\\])+")
_QUOTED = re.compile(r"(?<=['\"])(?:~?/|[A-Za-z]:[\\/])[^'\"\n]*[/\\](?=[^'\"/\\\n]*['\"])")
"""As `_FOLDERS`, for a path in quotes, which may have spaces in it."""


def without_paths(text: str) -> str:
    """`text` with every absolute path cut down to its last part: ``/srv/models/a.xml`` as ``…/a.xml``."""
    return _FOLDERS.sub("…/", _QUOTED.sub("…/", text.replace(str(Path.home()), "~")))
