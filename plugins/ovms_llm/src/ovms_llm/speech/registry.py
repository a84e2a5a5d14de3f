"""Which speech formats there are: the plugin's own, and those of other packages."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Final

from importlib_metadata import EntryPoint, entry_points

from ovms_llm.speech.format import SpeechFormat

GROUP: Final = "ovms.speech_formats"

FIRST_PARTY: Final = (
    "ovms_llm.speech.formats.gpt_oss:GptOss",
    "ovms_llm.speech.formats.deepseek:DeepSeek",
    "ovms_llm.speech.formats.deepseek_v31:DeepSeekV31",
    "ovms_llm.speech.formats.granite32:Granite32",
    "ovms_llm.speech.formats.granite:Granite",
    "ovms_llm.speech.formats.granite4:Granite4",
    "ovms_llm.speech.formats.gemma4:Gemma4",
    "ovms_llm.speech.formats.functiongemma:FunctionGemma",
    "ovms_llm.speech.formats.gemma:Gemma",
    "ovms_llm.speech.formats.minicpm:MiniCpm",
    "ovms_llm.speech.formats.lfm2:Lfm2",
    "ovms_llm.speech.formats.glm:Glm",
    "ovms_llm.speech.formats.glm4:Glm4",
    "ovms_llm.speech.formats.qwen3_coder:Qwen3Coder",
    "ovms_llm.speech.formats.devstral:Devstral",
    "ovms_llm.speech.formats.mistral:Mistral",
    "ovms_llm.speech.formats.phi4:Phi4",
    "ovms_llm.speech.formats.llama_pythonic:LlamaPythonic",
    "ovms_llm.speech.formats.llama3_json:Llama3Json",
    "ovms_llm.speech.formats.hermes:Hermes",
    "ovms_llm.speech.formats.generic:Generic",
)
"""Most specific first: a model speaks the first format that recognises it."""

_log = logging.getLogger(__name__)


@cache
def formats() -> Mapping[str, SpeechFormat]:
    """Every speech format by its name, those of other packages first: whoever installs one wants it to be used.

    A package's format that cannot be loaded is left out, with a warning. Raises `ValueError` for two of one name.
    """
    found: dict[str, tuple[str, SpeechFormat]] = {}
    for source, format in (*_installed(), *_first_party()):
        if format.name in found:
            both = f"{found[format.name][0]} and {source}"
            raise ValueError(f"Two speech formats are named '{format.name}': {both}. Uninstall or rename one.")
        found[format.name] = (source, format)
    return MappingProxyType({name: format for name, (_, format) in found.items()})


def _first_party() -> Iterator[tuple[str, SpeechFormat]]:
    for path in FIRST_PARTY:
        module, _, name = path.partition(":")
        yield path, getattr(import_module(module), name)()


def _installed() -> Iterator[tuple[str, SpeechFormat]]:
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        if (format := _loaded(entry)) is not None:
            yield f"{entry.value} of {entry.dist.name if entry.dist else 'an unknown package'}", format


def _loaded(entry: EntryPoint) -> SpeechFormat | None:
    try:
        format = entry.load()()
        if not isinstance(format, SpeechFormat):
            raise TypeError(f"it is a {type(format).__name__}, not a SpeechFormat")
    except Exception as error:
        _log.warning(
            "The speech format '%s' (%s) cannot be loaded and is left out: %s: %s",
            entry.name,
            entry.value,
            type(error).__name__,
            error,
        )
        return None
    return format
