"""The text generation task: which models it takes, and the engine that serves them."""

from __future__ import annotations

from ovms_core.model_files import gguf_models
from ovms_core.plugin import ModelFiles, Task
from ovms_llm.messages import AnyEvent, AnyRequest
from ovms_llm.options import TextGenerationOptions

_CAUSAL_SUFFIXES = ("ForCausalLM", "LMHeadModel")
_SEVERAL_PARTS = "ForConditionalGeneration"
_OTHER_KINDS = ("modules.json", "config_sentence_transformers.json", "model_index.json")


def _architecture(files: ModelFiles) -> str | None:
    names = files.json("config.json").get("architectures")
    return str(names[0]) if isinstance(names, list) and names else None


def _detect_ir(files: ModelFiles) -> int:
    architecture = _architecture(files)
    if architecture is not None:
        return 100 if architecture.endswith(_CAUSAL_SUFFIXES) or _is_language_part(architecture, files) else 0
    if files.has("generation_config.json"):
        return 50
    return 50 if files.has("openvino_detokenizer.xml") and not files.has("config.json") else 0


def _is_language_part(architecture: str, files: ModelFiles) -> bool:
    """Whether the one model of the folder is the language model of several parts: exported alone, for text."""
    return architecture.endswith(_SEVERAL_PARTS) and "text_config" in files.json("config.json")


def detect(files: ModelFiles) -> int:
    """How sure it is that `files` are a causal language model that continuous batching can load.

    Decoders that were trained to embed (Qwen3-Embedding) carry a causal architecture *and* the files
    of sentence-transformers: those say what the model is for, so they are left to embeddings.
    """
    if files.has(*_OTHER_KINDS):
        return 0
    if files.has("openvino_model.xml"):
        return _detect_ir(files)
    return 80 if gguf_models(files.names) else 0


TASK = Task(
    name="text_generation",
    engine="ovms_llm.engine.text_generation:TextGeneration",
    options=TextGenerationOptions,
    request=AnyRequest,
    event=AnyEvent,
    detect=detect,
)
