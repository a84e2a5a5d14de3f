"""What an operator can set for a text generation model: the model's `options:` section."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ovms_core.plugin import TaskOptions


class TextGenerationOptions(TaskOptions):
    """The options of a text generation model."""

    cache_size: float | None = Field(
        None, gt=0, description="KV cache in GB (2^30 bytes); by default derived from the memory that is available."
    )
    max_model_len: int | None = Field(
        None, gt=0, description="Context length in tokens; by default what the model was trained for."
    )
    max_num_seqs: int = Field(256, gt=0, description="Sequences that are generated at the same time.")
    max_num_batched_tokens: int = Field(
        256,
        gt=0,
        description="Tokens processed in one step; larger steps prefill faster and delay running streams more.",
    )
    max_prompt_characters: int = Field(
        1_000_000, gt=0, description="Characters of one prompt; it is tokenised whole, while running streams wait."
    )
    dynamic_split_fuse: bool = Field(True, description="Process long prompts in pieces, beside running sequences.")
    enable_prefix_caching: bool = Field(True, description="Reuse the KV cache of prompts that begin alike.")
    kv_cache_precision: Literal["u8", "i8", "f16", "bf16", "f32"] | None = Field(
        None, description="Element type of the KV cache; by default what the device prefers."
    )
    chat_template: str | dict[str, str] | None = Field(
        None,
        description="A chat template instead of the model's: a file, or its text; several by name. A relative file is "
        "one in the model's folder, or else in the working directory.",
    )
    deterministic: bool = Field(
        False, description="Make greedy text independent of what else is in the batch (f32, slower)."
    )
    plugin_config: dict[str, Any] = Field(
        {}, description="Properties for the OpenVINO device plugin, such as INFERENCE_NUM_THREADS."
    )
    cache_dir: str | None = Field(None, description="A folder for compiled blobs, which make the next start faster.")
    temperature: float | None = Field(None, ge=0, description="Temperature of requests that name none.")
    top_p: float | None = Field(None, gt=0, le=1, description="Nucleus size of requests that name none.")
    top_k: int | None = Field(None, ge=0, description="Candidates of requests that name none; 0 means all.")
    repetition_penalty: float | None = Field(None, gt=0, description="Repetition penalty of requests that name none.")
