"""Where models come from: what a source must be able to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class SourceError(Exception):
    """A model is not available. The message says why and what to do about it.

    `transient` says that it may be had later without anybody doing anything (a network that is down): a server
    then tries again.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class FetchProgress(Protocol):
    """Called with the progress of a download; may raise to stop it."""

    def __call__(self, done: int, total: int | None, /) -> None:
        """`done` of `total` bytes have arrived; `total` is `None` while it is unknown."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that a source recommends, as shown by ``ovms models`` and served by ``--starter``."""

    name: str
    reference: str
    task: str
    description: str


class Source(Protocol):
    """A place that models come from, such as a hub; `scheme` is what stands before the colon (``hf:``).

    A source is a small object without state. Its caller holds the model's lock.

    Example::

        class Share:
            scheme = "share"

            def locate(self, name: str) -> Path | None:
                return None

            def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
                shutil.copytree(Path("/mnt/models") / name, into, dirs_exist_ok=True)

            def offers(self) -> Sequence[Offer]:
                return ()
    """

    @property
    def scheme(self) -> str:
        """At least two lower-case characters."""

    def locate(self, name: str) -> Path | None:
        """Where the model is, or `None` if it must be downloaded.

        Must be fast and not use the network. Raises `SourceError` if there is no such model.
        """

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        """Put the model's files into the folder `into`. It may contain files of an interrupted download.

        Blocking; called on a thread. Raises `SourceError`; an `OSError` of the disk may pass. What is
        there when it returns is the whole model, verified, and nothing else: the repository then moves
        the folder into place in one step. With `offline` the network must not be touched.
        """

    def offers(self) -> Sequence[Offer]:
        """Models that the source recommends; most have none."""
