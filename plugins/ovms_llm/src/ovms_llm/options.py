"""What an operator can set for a text generation model: the model's `options:` section."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from ovms_core.plugin import TaskOptions
from ovms_llm.grammar.limits import Limits

_LIMITS: Final = Limits()


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
    speech_format: str | None = Field(
        None, description="How the model marks tool calls; by default found out from its chat template."
    )
    guided_tools: bool = Field(
        True, description="Have every tool call, once the model has begun it, fit its function's schema."
    )
    grammar_timeout: float = Field(
        10.0, gt=0, description="Seconds that a grammar may take to compile, beside the streams, which go first."
    )
    grammar_cache_mb: int = Field(
        256,
        gt=0,
        description="Memory for compiled grammars, in MB (2^20 bytes); all are thrown away when they take more.",
    )
    max_grammar_size: int = Field(
        _LIMITS.size, gt=0, description="States of one grammar, once its repetitions are written out."
    )
    max_grammar_depth: int = Field(_LIMITS.depth, gt=0, description="Nesting of one schema or grammar.")
    max_grammar_characters: int = Field(
        _LIMITS.characters, gt=0, description="Characters of one schema or grammar as it is sent."
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

    @property
    def grammar_limits(self) -> Limits:
        """How large a grammar may be."""
        return Limits(self.max_grammar_characters, self.max_grammar_depth, self.max_grammar_size)
