"""The embeddings task: which models it takes, and the engine that serves them."""

from __future__ import annotations

from ovms_core.openvino.files import model_file_name
from ovms_core.plugin import ModelFiles, Task
from ovms_embeddings.messages import Embed, Embedded
from ovms_embeddings.options import EmbeddingsOptions

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
_HEADLESS = frozenset(f"{name}Model" for name in _ENCODERS)
_OTHER_TASKS = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")


def detect(files: ModelFiles) -> int:
    """How sure it is that `files` are an embedding model: the files of sentence-transformers say so, an encoder
    without a head suggests it. A model with a classification head is none."""
    architectures = _architectures(files)
    if model_file_name(files.names) is None or any(name.endswith(_OTHER_TASKS) for name in architectures):
        return 0
    if files.has("modules.json", "config_sentence_transformers.json"):
        return 90
    return 70 if _HEADLESS.intersection(architectures) else 0


def _architectures(files: ModelFiles) -> list[str]:
    names = files.json("config.json").get("architectures")
    return [str(name) for name in names] if isinstance(names, list) else []


EMBEDDINGS = Task(
    name="embeddings",
    engine="ovms_embeddings.engine:TextEmbeddings",
    options=EmbeddingsOptions,
    request=Embed,
    event=Embedded,
    detect=detect,
)
