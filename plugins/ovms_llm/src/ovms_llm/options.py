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
    max_num_seqs: int = Field(
        256, gt=0, description="The maximum number of sequences that are generated at the same time."
    )
    max_num_batched_tokens: int = Field(
        256,
        gt=0,
        description="Tokens processed in one step; larger steps prefill faster and delay running streams more.",
    )
    max_prompt_characters: int = Field(
        1_000_000, gt=0, description="The maximum number of characters of a prompt. Streams wait while it is tokenised."
    )
    dynamic_split_fuse: bool = Field(True, description="Process long prompts in pieces, beside running sequences.")
    enable_prefix_caching: bool = Field(True, description="Reuse the KV cache for prompts with the same beginning.")
    kv_cache_precision: Literal["u8", "i8", "f16", "bf16", "f32"] | None = Field(
        None, description="Element type of the KV cache; by default what the device prefers."
    )
    chat_template: str | dict[str, str] | None = Field(
        None,
        description="A chat template instead of the model's: a file, or its text; several by name. A relative file is "
        "one in the model's folder, or else in the working directory.",
    )
    speech_format: str | None = Field(
        None, description="How the model marks tool calls; by default detected from its chat template."
    )
    guided_tools: bool = Field(
        True, description="Make every tool call fit its function's schema, once the model has begun it."
    )
    grammar_timeout: float = Field(
        10.0, gt=0, description="The maximum number of seconds for compiling a grammar. Running streams have priority."
    )
    grammar_cache_mb: int = Field(
        256,
        gt=0,
        description="Memory for compiled grammars, in MB (2^20 bytes); all are dropped if they take more.",
    )
    max_grammar_size: int = Field(
        _LIMITS.size, gt=0, description="The maximum number of states of a grammar, with its repetitions written out."
    )
    max_grammar_depth: int = Field(_LIMITS.depth, gt=0, description="The maximum nesting of a schema or grammar.")
    max_grammar_characters: int = Field(
        _LIMITS.characters, gt=0, description="The maximum number of characters of a schema or grammar."
    )
    deterministic: bool = Field(
        False, description="Make greedy text independent of what else is in the batch (f32, slower)."
    )
    plugin_config: dict[str, Any] = Field(
        {}, description="Properties for the OpenVINO device plugin, such as INFERENCE_NUM_THREADS."
    )
    cache_dir: str | None = Field(None, description="A folder for compiled models, which makes the next start faster.")
    temperature: float | None = Field(None, ge=0, description="Temperature for requests without one.")
    top_p: float | None = Field(None, gt=0, le=1, description="top_p for requests without one.")
    top_k: int | None = Field(None, ge=0, description="top_k for requests without one; 0 means all tokens.")
    repetition_penalty: float | None = Field(None, gt=0, description="Repetition penalty for requests without one.")

    @property
    def grammar_limits(self) -> Limits:
        """How large a grammar may be."""
        return Limits(self.max_grammar_characters, self.max_grammar_depth, self.max_grammar_size)
