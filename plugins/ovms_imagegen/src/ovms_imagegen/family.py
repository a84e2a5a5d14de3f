"""How GenAI's pipelines of each family read a request, as its sources have it (2026.4).

https://github.com/openvinotoolkit/openvino.genai/tree/master/src/cpp/src/image_generation
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_T5_TOKENS: Final = {"Flux": 512, "StableDiffusion3": 256}
_QWEN_TOKENS: Final = 496
"""Of 512, the rest being the chat template that GenAI puts around a prompt."""

_FEW_STEPS: Final = 4
"""What models distilled to do without guidance are made for; GenAI's own default is that of the others."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """A text encoder: the folder of its tokenizer, the field it reads (or `prompt`), and the tokens it takes in."""

    tokenizer: str
    field: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Family:
    """`unused` are the request's fields without effect.

    `multiple` is what both sides of a picture must be multiples of. `keeps_guidance` models cannot go from a
    guidance scale over 1 to one that is not, or back. `rounds_up` models do at least one step, whatever the
    strength. `steps` is the default where GenAI's own is not right.
    """

    encoders: tuple[Encoder, ...]
    unused: frozenset[str]
    multiple: int
    keeps_guidance: bool
    rounds_up: bool
    steps: int | None


def family_of(folder: Path) -> Family:
    """The family of the model in `folder`, from its ``model_index.json`` and the configurations of its parts."""
    index = read_json(folder / "model_index.json")
    name = str(index.get("_class_name", ""))
    denoiser = read_json(folder / "transformer" / "config.json")
    encoders = tuple(_encoders(folder, name))
    unguided = _is_unguided(name, index, denoiser)
    return Family(
        encoders=encoders,
        unused=frozenset(_unused(folder, name, encoders)) | ({"guidance_scale"} if unguided else set()),
        multiple=_multiple(folder, name, denoiser),
        keeps_guidance=any(encoder.tokenizer == "tokenizer_3" for encoder in encoders),
        rounds_up=bool(denoiser),
        steps=_FEW_STEPS if unguided else None,
    )


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in `file`; empty when there is no file."""
    if not file.is_file():
        return {}
    document = json.loads(file.read_text("utf-8"))
    return document if isinstance(document, dict) else {}


def _encoders(folder: Path, name: str) -> Iterator[Encoder]:
    fields = ["prompt", "prompt_2", "prompt_3"]
    if name.startswith("StableDiffusionXL"):
        fields = ["prompt_2", "prompt"]
    for suffix, field in zip(("", "_2", "_3"), fields, strict=False):
        config = read_json(folder / f"text_encoder{suffix}" / "config.json")
        if config:
            yield Encoder(f"tokenizer{suffix}", field, _tokens(name, config))


def _tokens(name: str, config: dict[str, Any]) -> int:
    if config.get("model_type") == "t5":
        return next(tokens for start, tokens in _T5_TOKENS.items() if name.startswith(start))
    if name.startswith("Flux2"):
        return _QWEN_TOKENS
    return int(config.get("max_position_embeddings", 77))


def _is_unguided(name: str, index: dict[str, Any], denoiser: dict[str, Any]) -> bool:
    if name.startswith("Flux2"):
        return bool(index.get("is_distilled"))
    return name.startswith("Flux") and not denoiser.get("guidance_embeds")


def _unused(folder: Path, name: str, encoders: tuple[Encoder, ...]) -> Iterator[str]:
    yield from {"prompt_2", "prompt_3"} - {encoder.field for encoder in encoders}
    if name.startswith("Flux") or _is_consistency_model(folder):
        yield "negative_prompt"
    if not name.startswith("Flux2"):
        yield "max_sequence_length"  # T5's is settled by the first request that it reads, and any other fails
    if name.startswith(("FluxFill", "Flux2")):
        yield "strength"


def _is_consistency_model(folder: Path) -> bool:
    return (read_json(folder / "unet" / "config.json").get("time_cond_proj_dim") or 0) > 0


def _multiple(folder: Path, name: str, denoiser: dict[str, Any]) -> int:
    """A latent's width in pixels, times the latents that a transformer takes in as one."""
    levels = len(read_json(folder / "vae_decoder" / "config.json").get("block_out_channels", [0] * 4))
    patch = 2 if name.startswith("Flux") else int(denoiser.get("patch_size", 1))
    return int(2 ** (levels - 1)) * patch
