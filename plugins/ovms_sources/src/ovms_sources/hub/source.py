"""Models of the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ovms_core.plugin import FetchProgress, Offer
from ovms_sources.hub.name import HubName


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
        from ovms_sources.hub.fetch import fetch  # huggingface_hub takes a third of a second to import

        fetch(HubName.parse(name), into, offline=offline, progress=progress)

    def offers(self) -> Sequence[Offer]:
        return ()
