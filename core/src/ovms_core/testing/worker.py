"""A model in a real worker process, without HTTP around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ovms_core.errors import LoadError
from ovms_core.models.model import Model, State
from ovms_core.settings import ModelSettings
from ovms_core.testing.client import app_with


@asynccontextmanager
async def served(model: ModelSettings, *plugins: object) -> AsyncIterator[Model]:
    """`model` of a task of `plugins`, loaded in a worker process of its own. Raises `LoadError`.

    Example::

        async with served(model_without_files("word_count"), hooks) as model:
            events = [event async for event in model.submit(Count(["a b c"]))]
    """
    app = app_with(*plugins, models=[model])
    async with app.lifespan():
        await app.server.lifecycle.settled()
        (found,) = app.server.models
        if found.state is not State.READY:
            raise LoadError(f"Model '{found.name}' is {found.state}: {found.problem}")
        yield found


def model_without_files(task: str, name: str | None = None, **settings: object) -> ModelSettings:
    """The settings of a model whose engine reads no files; `settings` are those of `ModelSettings`."""
    return ModelSettings.model_validate(
        {"name": name or task, "source": _ANY_FOLDER, "task": task, "device": "CPU", **settings}
    )


_ANY_FOLDER = __file__.rpartition("/")[0] or "."
