"""Keeps what only the operator should see out of what clients are told."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDERS = re.compile(r"(?<![\w:/.~\\])(?:~?/|[A-Za-z]:[\\/])(?:[^\s/\\'\":;,()<>|]+[/\\])+")


def without_paths(text: str) -> str:
    """`text` with every absolute path cut down to its last part: ``/srv/models/a.xml`` as ``…/a.xml``."""
    return _FOLDERS.sub("…/", text.replace(str(Path.home()), "~"))
