"""The embeddings task: which models it takes, and the engine that serves them."""

from __future__ import annotations

from ovms_core.plugin import ModelFiles, Task
from ovms_embeddings.messages import Embed, Embedded
from ovms_embeddings.options import EmbeddingsOptions
from ovms_openvino.files import model_file_name

_ENCODERS = (
    "Albert",
    "Bert",
    "Camembert",
    "DebertaV2",
    "DistilBert",
    "Electra",
    "GteNew",
    "JinaBert",
    "MPNet",
    "ModernBert",
    "New",
    "NomicBert",
    "Roberta",
    "XLMRoberta",
)
_DECODERS = ("Gemma", "Gemma2", "Llama", "Mistral", "Qwen2", "Qwen3")
_HEADLESS = frozenset(f"{name}Model" for name in (*_ENCODERS, *_DECODERS))
BY_NAME = 110
"""A decoder that embeds, exported without the files of sentence-transformers, has those of a chat model, which text
generation is sure of: only the name tells."""

_OTHER_TASKS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
_OTHER_KINDS = ("CrossEncoder", "SparseEncoder", "MultiVectorEncoder")
"""Models of sentence-transformers that do not give one dense vector a text."""


def detect(files: ModelFiles) -> int:
    """How sure it is that `files` are an embedding model: the files of sentence-transformers say so, an encoder
    or a decoder without a head suggests it. A model with a classification head is none."""
    architectures = _architectures(files)
    if model_file_name(files.names) is None or any(name.endswith(_OTHER_TASKS) for name in architectures):
        return 0
    if files.json("config_sentence_transformers.json").get("model_type") in _OTHER_KINDS:
        return 0
    if files.has("modules.json", "config_sentence_transformers.json"):
        return 90
    if any(name.endswith("ForCausalLM") for name in architectures) and "embed" in files.path.name.lower():
        return BY_NAME
    return 70 if _HEADLESS.intersection(architectures) else 0


def _architectures(files: ModelFiles) -> list[str]:
    names = files.json("config.json").get("architectures")
    return [str(name) for name in names] if isinstance(names, list) else []


EMBEDDINGS = Task(
    name="embeddings",
    engine="ovms_embeddings.engine.embedding:TextEmbeddings",
    options=EmbeddingsOptions,
    request=Embed,
    event=Embedded,
    detect=detect,
)
