"""Sampling as a model's makers recommend it."""

from __future__ import annotations

from typing import Any, Final

from ovms_llm.model.model_files import GENERATION, Generation

_RANGES: Final = {
    "temperature": (0.0, 1e4),
    "top_p": (1e-9, 1.0),
    "top_k": (-1, 2**31),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (0.01, 1e4),
}
"""What a request may say, too."""


def sampling_defaults(generation: Generation) -> tuple[dict[str, Any], list[str]]:
    """The defaults by their names, and a warning for each that no request could have and that is left out."""
    said = {name: value for name in _RANGES if (value := getattr(generation, name)) is not None}
    good = {name: value for name, value in said.items() if _RANGES[name][0] <= value <= _RANGES[name][1]}
    warnings = [
        f"'{GENERATION}' has {name} {said[name]}, which is out of range: it is left out"
        for name in said
        if name not in good
    ]
    if "top_k" in good:
        good["top_k"] = int(good["top_k"])
    return good, warnings
