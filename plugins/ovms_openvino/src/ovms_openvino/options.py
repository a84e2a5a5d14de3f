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
        description="Batches that run at once; by default one a core on CPU for a small model, fewer for a larger one.",
    )
    inference_precision: Precision | None = Field(
        default=None,
        description="Precision of the computation: f32, f16 or bf16; by default f32 on CPU, else the device's own.",
    )
    plugin_config: dict[str, Any] = Field(default={}, description="OpenVINO properties, passed on as they are.")
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
        description="Tokens of one batch, padding included; by default as many as the device likes.",
    )
    batch_across_requests: bool = Field(default=True, description="Whether a batch may hold texts of several requests.")
    max_length: int | None = Field(
        default=None, ge=1, description="Tokens that a text may have; by default the model's own."
    )
    truncate: bool | Literal["end", "start"] = Field(
        default=False,
        description="What is cut off a text that is too long where the request does not say: its end (also true) or "
        "its start; with false embeddings refuse it, and rerank reads it in chunks.",
    )
    max_items: int = Field(default=2048, ge=1, description="Texts that one request may have.")
    self_test: SelfTest = Field(
        default="warn",
        description="Check at load: off, warn (serve all the same, and say so) or strict (refuse to load).",
    )

    @property
    def cut_side(self) -> Side | None:
        """The side at which a text is cut that is too long, where its request does not say; `None` for not at all."""
        if self.truncate is False:
            return None
        return "left" if self.truncate == "start" else "right"
