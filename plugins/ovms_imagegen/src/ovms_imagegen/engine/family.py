"""How GenAI's pipelines of each family read a request, as its sources have it (2026.4).

https://github.com/openvinotoolkit/openvino.genai/tree/master/src/cpp/src/image_generation
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ovms_imagegen.engine.parts import Parts, TextEncoder

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


def family_of(parts: Parts) -> Family:
    """The family of the model whose small files are `parts`."""
    encoders = tuple(_encoders(parts))
    unguided = _is_unguided(parts)
    return Family(
        encoders=encoders,
        unused=frozenset(_unused(parts, encoders)) | ({"guidance_scale"} if unguided else set()),
        multiple=_multiple(parts),
        keeps_guidance=any(encoder.tokenizer == "tokenizer_3" for encoder in encoders),
        rounds_up=parts.denoiser == "transformer",
        steps=_FEW_STEPS if unguided else None,
    )


def _encoders(parts: Parts) -> Iterator[Encoder]:
    fields = ["prompt", "prompt_2", "prompt_3"]
    if parts.index.pipeline.startswith("StableDiffusionXL"):
        fields = ["prompt_2", "prompt"]
    for suffix, field in zip(("", "_2", "_3"), fields, strict=False):
        config = parts.encoders.get(f"text_encoder{suffix}")
        if config is not None:
            yield Encoder(f"tokenizer{suffix}", field, _tokens(parts.index.pipeline, config))


def _tokens(name: str, config: TextEncoder) -> int:
    if config.model_type == "t5":
        return next(tokens for start, tokens in _T5_TOKENS.items() if name.startswith(start))
    if name.startswith("Flux2"):
        return _QWEN_TOKENS
    return config.max_position_embeddings or 77


def _is_unguided(parts: Parts) -> bool:
    if parts.index.pipeline.startswith("Flux2"):
        return bool(parts.index.is_distilled)
    return parts.index.pipeline.startswith("Flux") and not parts.denoising.guidance_embeds


def _unused(parts: Parts, encoders: tuple[Encoder, ...]) -> Iterator[str]:
    name = parts.index.pipeline
    yield from {"prompt_2", "prompt_3"} - {encoder.field for encoder in encoders}
    if name.startswith("Flux") or parts.denoising.time_cond_proj_dim:  # the latter is a consistency model
        yield "negative_prompt"
    if not name.startswith("Flux2"):
        yield "max_sequence_length"  # T5's is settled by the first request that it reads, and any other fails
    if name.startswith(("FluxFill", "Flux2")):
        yield "strength"


def _multiple(parts: Parts) -> int:
    """A latent's width in pixels, times the latents that a transformer takes in as one."""
    patch = 2 if parts.index.pipeline.startswith("Flux") else parts.denoising.patch_size or 1
    return int(2 ** (len(parts.vae.block_out_channels) - 1)) * patch
