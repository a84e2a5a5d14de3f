"""Models of the Hugging Face Hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ovms_core.models.source import FetchProgress, Offer, SourceError

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


class HubSource:
    """``hf:org/name[@revision][:WEIGHTS]``.

    Of a repository's files only those of one servable set of weights are fetched (see `select`). The token
    (``HF_TOKEN`` or ``hf auth login``), ``HF_ENDPOINT``, ``HF_HUB_OFFLINE`` and the proxies are as
    huggingface_hub has them: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
    """

    scheme = "hf"

    def locate(self, name: str) -> Path | None:
        HubName.parse(name)
        return None

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        from ovms_core.models.sources.hub.fetch import fetch  # huggingface_hub takes a third of a second to import

        fetch(HubName.parse(name), into, offline=offline, progress=progress)

    def offers(self) -> Sequence[Offer]:
        return ()
