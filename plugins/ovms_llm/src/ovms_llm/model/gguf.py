"""GGUF files: converted once to OpenVINO IR, because IR loads in a fraction of the time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ovms_core.engine import LoadError
from ovms_core.model_files import GGUF_SUFFIX
from ovms_openvino.derived import derived, link_or_copy
from ovms_openvino.failure import reason

Convert = Callable[[Path], None]

METADATA: Final = "gguf.json"
STRETCHED: Final = "ovms.has_rope_freqs"
"""The metadata that says whether a file has factors for its positions, as Llama 3.1 and its followers have."""
_NAMED_TEMPLATE: Final = "tokenizer.chat_template."
_FOLDER: Final = "openvino"
_FORM: Final = 4
"""Counts up when what a conversion writes changes, so that older ones are made again."""
_TOKENIZER: Final = "openvino_tokenizer"


def _fields(source: Path) -> Iterator[tuple[str, Any]]:
    from gguf import GGUFReader, GGUFValueType

    reader = GGUFReader(source)
    yield STRETCHED, any(tensor.name == "rope_freqs.weight" for tensor in reader.tensors)
    for name, field in reader.fields.items():
        if field.types and field.types[0] is not GGUFValueType.ARRAY and name != "tokenizer.chat_template":
            yield name, field.contents()


def read_metadata(source: Path) -> dict[str, Any]:
    """The scalar metadata of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""
    try:
        return dict(_fields(source))
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise LoadError(f"{source.name} is not a complete GGUF file ({error}): fetch it again") from error


def templates_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The chat templates of a file that have a name; the usual one becomes the tokenizer's."""
    named = {
        key.removeprefix(_NAMED_TEMPLATE): text for key, text in metadata.items() if key.startswith(_NAMED_TEMPLATE)
    }
    return {name: text for name, text in named.items() if isinstance(text, str)}


def warnings_of(metadata: Mapping[str, Any]) -> list[str]:
    """What OpenVINO GenAI gets wrong of a file, without a word of its own."""
    kind = metadata.get(f"{metadata.get('general.architecture')}.rope.scaling.type")
    if kind in (None, "none") and not metadata.get(STRETCHED):
        return []
    return [
        f"the GGUF file stretches the model's positions ({kind or 'rope_freqs'}), and OpenVINO GenAI does not: long "
        "texts get worse answers. Use the model's OpenVINO IR"
    ]


def convert_with_genai(source: Path) -> None:
    """Write the OpenVINO IR of a GGUF file, with its tokenizer and detokenizer, beside it."""
    import openvino_genai

    try:
        openvino_genai.LLMPipeline(str(source), "CPU", enable_save_ov_model=True)
    except RuntimeError as error:
        raise LoadError(
            f"OpenVINO GenAI cannot read {source.name}: {reason(error)}. Use the model's OpenVINO IR"
        ) from error
    keep_whole_texts(source.parent)


def keep_whole_texts(folder: Path) -> None:
    """Make the tokenizer in `folder` give all tokens of a text: GenAI has it cut at the context's length, silently."""
    import openvino
    import openvino_tokenizers  # noqa: F401 - it teaches `openvino.Core` the operations of tokenizers

    model = openvino.Core().read_model(folder / f"{_TOKENIZER}.xml")
    endless = openvino.opset8.constant(2**31 - 1, openvino.Type.i32).output(0)
    for node in model.get_ops():
        if node.get_type_name() == "Minimum":
            for limit in node.inputs():
                if limit.get_source_output().get_node().get_type_name() == "Constant":
                    limit.replace_source_output(endless)
    whole = folder / "whole_tokenizer"
    openvino.save_model(model, whole.with_suffix(".xml"), compress_to_fp16=False)
    for suffix in (".xml", ".bin"):
        whole.with_suffix(suffix).replace(folder / f"{_TOKENIZER}{suffix}")


def _fill(folder: Path, shards: Sequence[Path], convert: Convert) -> None:
    links = [folder / f"{shard.stem}{GGUF_SUFFIX}" for shard in shards]  # GenAI knows the suffix in lower case only
    for shard, link in zip(shards, links, strict=True):
        link_or_copy(shard, link, writable=True)  # it opens them for writing, although it only reads
    metadata, *_ = [read_metadata(shard) for shard in shards]
    convert(links[0])
    for link in links:
        link.unlink()
    if not (folder / "openvino_model.xml").is_file():
        raise LoadError(f"converting {shards[0].name} gave no OpenVINO model: use the model's OpenVINO IR")
    (folder / METADATA).write_text(json.dumps({"metadata": metadata}, default=str), encoding="utf-8")


def converted(shards: Sequence[Path], work_dir: Path, convert: Convert = convert_with_genai) -> Path:
    """The folder with the OpenVINO IR of a GGUF model, made in `work_dir` when it is not there yet.

    `shards` are the files of the model, mostly one, in their order. Raises `LoadError` when it cannot be converted.
    """
    return derived(work_dir / _FOLDER, shards, _FORM, lambda folder: _fill(folder, shards, convert))
