"""What a model of the Hugging Face Hub is called."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ovms_core.plugin import SourceError

_NAME = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)"
    r"(?:/(?P<file>[^@:\s]+)|(?:@(?P<revision>[^@:\s]+))?(?::(?P<weights>[^@:\s]+))?)"
)


@dataclass(frozen=True, slots=True)
class HubName:
    """``org/name``, the revision after ``@``, and the weights after ``:`` or ``/``."""

    repository: str
    revision: str | None = None
    wanted: str = ""

    @classmethod
    def parse(cls, name: str) -> HubName:
        """Raises `SourceError`."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise SourceError(
                f"'hf:{name}' is no hub model: write hf:org/name, hf:org/name@revision, hf:org/name:Q4_K_M "
                "or hf:org/name/file.gguf."
            )
        return cls(match["repository"], match["revision"], match["file"] or match["weights"] or "")
