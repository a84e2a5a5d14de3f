"""The task: which models it takes, their options, and the engine that serves them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ovms_classify.messages import Classified, Classify
from ovms_core.plugin import ModelFiles, Task
from ovms_openvino.options import EncoderOptions


class ClassificationOptions(EncoderOptions):
    """The `options:` of a classifier: those of every encoder."""

    self_test: Literal["off"] = Field("off", description="This example has none.")


def labels_of(config: dict[str, Any]) -> list[str]:
    """The labels in ``config.json``, in the order of the model's outputs; transformers writes none for two."""
    named = config.get("id2label")
    if not isinstance(named, dict):
        return ["LABEL_0", "LABEL_1"]
    return [str(named[index]) for index in sorted(named, key=int)]


def detect(files: ModelFiles) -> int:
    """How sure it is that a model classifies texts. One with two labels may be a reranker: that has precedence."""
    config = files.json("config.json")
    architectures = config.get("architectures") or [""]
    if not str(architectures[0]).endswith("ForSequenceClassification"):
        return 0
    return 80 if len(labels_of(config)) > 2 else 40


CLASSIFICATION = Task(
    name="text_classification",
    engine="ovms_classify.engine:Classifier",
    options=ClassificationOptions,
    request=Classify,
    event=Classified,
    detect=detect,
)
