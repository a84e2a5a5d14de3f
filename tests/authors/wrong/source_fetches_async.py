"""Its source fetches in an async function."""

import shutil
from pathlib import Path

from ovms_core.plugin import hookimpl


class Share:
    scheme = "share"

    def locate(self, name):
        return None

    async def fetch(self, name, into, *, offline, progress):
        shutil.copytree(Path("/mnt/models") / name, into, dirs_exist_ok=True)

    def offers(self):
        return ()


@hookimpl
def ovms_register_sources():
    return [Share()]
