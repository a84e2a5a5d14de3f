"""A task: what a kind of model can do, and the engine that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from ovms_core.model_files import ModelFiles


def _no_variants(options: BaseModel) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Task:
    """What a plugin returns from `ovms_register_tasks`.

    `engine` is an import path (``"ovms_llm.engine.text_generation:TextGeneration"``), imported in the worker process
    only. `request` and `event` are the `Request` and `Event` types, or unions of them, that its engine
    takes and gives. `detect` says how sure it is that a model is of this task: 0 means not at all, and
    the highest wins. `variants` names the further models that a model's options define (adapters).
    """

    name: str
    engine: str
    options: type[BaseModel]
    request: Any
    event: Any
    detect: Callable[[ModelFiles], int]
    variants: Callable[[Any], Iterable[str]] = field(default=_no_variants)
