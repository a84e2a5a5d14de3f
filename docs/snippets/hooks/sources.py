"""A plugin that brings models from a shared folder: ``share:NAME``."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ovms_core.plugin import FetchProgress, Offer, Source, SourceError, hookimpl

SHARE = Path("/mnt/models")


class Share:
    scheme = "share"

    def locate(self, name: str) -> Path | None:
        return None

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        if not (SHARE / name).is_dir():
            raise SourceError(f"share:{name} is not there: see {SHARE} for what is.")
        shutil.copytree(SHARE / name, into, dirs_exist_ok=True)

    def offers(self) -> Sequence[Offer]:
        return ()


@hookimpl
def ovms_register_sources() -> list[Source]:
    return [Share()]
