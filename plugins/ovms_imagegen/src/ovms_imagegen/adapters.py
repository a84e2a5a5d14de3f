"""LoRA adapters, by the model names that clients use for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import openvino_genai as genai

from ovms_core.engine import LoadError
from ovms_imagegen.options import Lora
from ovms_openvino.failure import reason


class Adapters:
    """The loaded adapters; a request gets a mixture of them, or none."""

    def __init__(self, loras: Sequence[Lora], folder: Path) -> None:
        self._loras = {lora.alias: lora for lora in loras}
        self._files = {lora.alias: _read(lora, folder / lora.path) for lora in loras if lora.path}

        self._applied: dict[str, float] = {}

    @property
    def names(self) -> list[str]:
        """What `lora_alphas` may name."""
        return list(self._files)

    def all(self) -> genai.AdapterConfig | None:
        """What the pipeline must be compiled for; `None` without adapters."""
        return genai.AdapterConfig(list(self._files.values())) if self._files else None

    def alphas(self, model: str, overrides: Mapping[str, float]) -> dict[str, float]:
        """How strongly each adapter acts on a request that asks for `model`."""
        lora = self._loras.get(model)
        own = {} if lora is None else dict(lora.parts) or {lora.alias: lora.alpha}
        return own | dict(overrides)

    def mixture(self, alphas: Mapping[str, float]) -> genai.AdapterConfig:
        """GenAI's configuration of that mixture; what acts with 0 is left out."""
        self._applied = {alias: alpha for alias, alpha in alphas.items() if alpha}
        return genai.AdapterConfig([(self._files[alias], alpha) for alias, alpha in self._applied.items()])

    def only_strengths_change(self, alphas: Mapping[str, float]) -> bool:
        """Whether `alphas` are the adapters of the last mixture with other strengths.

        GenAI 2026.4 fails on that step ("Tensor was not initialized"), but not on any other change.
        """
        wanted = {alias: alpha for alias, alpha in alphas.items() if alpha}
        return wanted != self._applied and wanted.keys() == self._applied.keys()


def _read(lora: Lora, file: Path) -> genai.Adapter:
    if not file.is_file():
        raise LoadError(f"LoRA '{lora.alias}': there is no file '{lora.path}'. Set options.lora[].path.")
    try:
        return genai.Adapter(file)
    except RuntimeError as error:
        raise LoadError(f"LoRA '{lora.alias}' cannot be read: {reason(error)}.") from error
