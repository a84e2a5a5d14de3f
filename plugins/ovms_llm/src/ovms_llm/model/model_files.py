"""The small files of a model: what transformers saves beside the weights, in all the forms that it has had.

https://huggingface.co/docs/transformers/main_classes/configuration, …/text_generation and …/tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from ovms_core.model_files import checked, read_document, read_text

CONFIG: Final = "config.json"
GENERATION: Final = "generation_config.json"
TOKENIZER: Final = "tokenizer_config.json"
SPECIAL_TOKENS: Final = "special_tokens_map.json"
PROCESSOR: Final = "processor_config.json"
TEMPLATES_JSON: Final = "chat_template.json"
TEMPLATE: Final = "chat_template.jinja"
_MORE_TEMPLATES: Final = "additional_chat_templates"

Ids = int | list[int] | None
Number = int | float | None


class Rope(msgspec.Struct):
    """How the positions are stretched (``rope_scaling``; ``rope_parameters`` since transformers 5)."""

    rope_type: str | None = None
    type: str | None = None
    factor: float | None = None
    original_max_position_embeddings: Number = None


class TextConfig(msgspec.Struct):
    """The part of ``config.json`` that is of a language model."""

    model_type: str | None = None
    eos_token_id: Ids = None
    max_position_embeddings: Number = None
    n_positions: Number = None
    max_sequence_length: Number = None
    seq_length: Number = None
    model_max_length: Number = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None


class Config(TextConfig):
    """``config.json``; models with several parts have the language model's in `text_config`."""

    text_config: TextConfig | None = None
    name: str | None = msgspec.field(name="_name_or_path", default=None)


class Generation(msgspec.Struct):
    """``generation_config.json``."""

    eos_token_id: Ids = None
    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Number = None
    min_p: float | None = None
    repetition_penalty: float | None = None


class AddedToken(msgspec.Struct):
    """A special token with its habits, as ``tokenizer_config.json`` of thousands of models has it."""

    content: str


class NamedTemplate(msgspec.Struct):
    """One of several chat templates."""

    name: str
    template: str


Token = str | AddedToken | None
Templates = str | list[NamedTemplate] | dict[str, str] | None


class SpecialTokens(msgspec.Struct):
    """The special tokens that mean something to everyone (``special_tokens_map.json``)."""

    bos_token: Token = None
    eos_token: Token = None
    pad_token: Token = None
    unk_token: Token = None


class TokenizerConfig(SpecialTokens):
    """``tokenizer_config.json``."""

    chat_template: Templates = None
    model_max_length: Number = None
    added_tokens_decoder: dict[str, Any] | None = None


class _Processor(msgspec.Struct):
    chat_template: Templates = None


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What the small files say. `templates` and `special_tokens` are by name; what is not said is not there."""

    config: Config = field(default_factory=Config)
    generation: Generation = field(default_factory=Generation)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    special_tokens: dict[str, str] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)


def read_files(folder: Path) -> ModelFiles:
    """What the small files in `folder` say. Raises `LoadError` for one that is malformed."""
    tokenizer = read_document(folder, TOKENIZER, TokenizerConfig)
    return ModelFiles(
        config=read_document(folder, CONFIG, Config),
        generation=read_document(folder, GENERATION, Generation),
        tokenizer=tokenizer,
        special_tokens=_special_tokens(folder),
        templates=dict(_templates(folder, tokenizer)),
    )


def ropes(config: TextConfig) -> list[Rope]:
    """The ways in which positions are stretched: one, or one a kind of layer. Raises `LoadError`."""
    rope = config.rope_parameters or config.rope_scaling or {}
    several = [part for part in rope.values() if isinstance(part, dict)]
    return [checked(part, Rope, CONFIG) for part in several or [rope]]


def _special_tokens(folder: Path) -> dict[str, str]:
    """Every token that has a name (``eos_token``, ``image_token``, …), for the templates that ask for it."""
    found: dict[str, str] = {}
    for name, kind in ((SPECIAL_TOKENS, SpecialTokens), (TOKENIZER, TokenizerConfig)):
        document = read_document(folder, name, dict[str, Any])
        checked(document, kind, name)
        texts = {key: _text(token) for key, token in document.items() if key.endswith("_token")}
        found |= {key: text for key, text in texts.items() if text}
    return found


def _text(token: Any) -> str | None:
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _templates(folder: Path, tokenizer: TokenizerConfig) -> Iterator[tuple[str, str]]:
    """Templates by name; of one name the last counts, as in transformers."""
    yield from _named(tokenizer.chat_template)
    for name in (PROCESSOR, TEMPLATES_JSON):
        yield from _named(read_document(folder, name, _Processor).chat_template)
    if (text := read_text(folder, TEMPLATE)) is not None:
        yield "default", text
    for file in sorted((folder / _MORE_TEMPLATES).glob("*.jinja")):
        yield file.stem, read_text(folder, f"{_MORE_TEMPLATES}/{file.name}") or ""


def _named(templates: Templates) -> Iterator[tuple[str, str]]:
    if isinstance(templates, str):
        yield "default", templates
    elif isinstance(templates, dict):
        yield from templates.items()
    else:
        yield from ((each.name, each.template) for each in templates or ())
