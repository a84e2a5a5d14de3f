"""The options of a model that OpenVINO compiles. Imports nothing heavy: the server validates them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ovms_core.plugin import TaskOptions

Precision = Literal["f32", "f16", "bf16"]
Side = Literal["left", "right"]
SelfTest = Literal["off", "warn", "strict"]


class CompileOptions(TaskOptions):
    """How a model is compiled for its device."""

    num_streams: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="How many batches run at once; by default one per core on CPU, fewer for a large model.",
    )
    inference_precision: Precision | None = Field(
        default=None,
        description="Precision of the computation: f32, f16 or bf16; by default f32 on CPU, else the device's own.",
    )
    plugin_config: dict[str, Any] = Field(default={}, description="OpenVINO properties, passed on unchanged.")
    cache_dir: str | None = Field(
        default=None, description="Folder for compiled models; by default one of the model's own."
    )

    @property
    def streams(self) -> int:
        """Batches that run at once: one where nobody has decided."""
        return self.num_streams or 1


class EncoderOptions(CompileOptions):
    """How a model runs that reads whole texts at once."""

    max_batch_tokens: int | None = Field(
        default=None,
        ge=16,
        description="The maximum number of tokens in a batch, with padding; by default it depends on the device.",
    )
    batch_across_requests: bool = Field(
        default=True, description="Whether a batch may contain texts of several requests."
    )
    max_length: int | None = Field(
        default=None, ge=1, description="The maximum number of tokens of a text; by default the model's own."
    )
    truncate: bool | Literal["end", "start"] = Field(
        default=False,
        description="Which end of a text that is too long is cut off, unless the request says so: end (also true) or "
        "start. With false, embeddings refuse it, and rerank reads it in chunks.",
    )
    max_items: int = Field(default=2048, ge=1, description="The maximum number of texts in a request.")
    self_test: SelfTest = Field(
        default="warn",
        description="Check at load: off, warn (serve with a warning) or strict (do not serve if it fails).",
    )

    @property
    def cut_side(self) -> Side | None:
        """The side at which a text is cut that is too long, where its request does not say; `None` for not at all."""
        if self.truncate is False:
            return None
        return "left" if self.truncate == "start" else "right"
