"""The folder in which pictures are kept that clients asked for by URL."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from pathlib import Path
from typing import Final

from ovms_core.engine import RequestError
from ovms_imagegen.messages import OutputFormat

_NAME: Final = re.compile(r"(?P<secret>[A-Za-z0-9_-]{32})-(?P<expires>\d{1,15})\.(?P<kind>png|jpeg|webp)", re.ASCII)


def is_alive(name: str) -> bool:
    """Whether `name` can be the name of a kept picture, and its time has not come."""
    match = _NAME.fullmatch(name)
    return match is not None and int(match["expires"]) > time.time()


class PictureStore:
    """Keeps pictures in `folder` for `ttl` seconds, under names that nobody can guess."""

    def __init__(self, folder: Path, ttl: float) -> None:
        self._folder = folder
        self._ttl = ttl

    def keep(self, data: bytes, output_format: OutputFormat) -> str:
        """Write `data` to a new file, remove those whose time has come, and return the file's name.

        Raises `RequestError` when the file cannot be written, on a full disk for example.
        """
        name = f"{secrets.token_urlsafe(24)}-{int(time.time() + self._ttl) + 1}.{output_format}"
        try:
            self._sweep()
            self._write(name, data)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            message = f"The server cannot keep the picture ({reason}): ask for 'b64_json'."
            raise RequestError(message, param="response_format", code="storage_failed", status=500) from None
        return name

    def _write(self, name: str, data: bytes) -> None:
        unfinished = self._folder / f".{name}"
        try:
            unfinished.write_bytes(data)
            unfinished.rename(self._folder / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def _sweep(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)  # it may lie where things are tidied away
        for file in self._folder.iterdir():
            if _NAME.fullmatch(file.name) and not is_alive(file.name):
                with contextlib.suppress(FileNotFoundError):  # another engine sweeps the same folder
                    file.unlink()
