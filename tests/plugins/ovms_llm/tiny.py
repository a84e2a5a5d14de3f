"""A llama of a hundred kilobytes that babbles bytes, as a GGUF file: it loads in a moment, and ends as models end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from tokenizers import pre_tokenizers

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eom|>")
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TOKENS = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "ab"]
_Q8 = GGMLQuantizationType.Q8_0
_NORMAL, _CONTROL = 1, 3
_WIDTH, _HEADS, _LAYERS, _CONTEXT = 64, 2, 2, 512


def write_gguf(file: Path, shards: int = 1, **ids: int) -> list[Path]:
    """Write the model to `file`, or in `shards` beside it, and say where; `ids` are its ``…_token_id``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(
        file if shards == 1 else None, "llama", split_max_tensors=-(-len(_tensors()) // shards) if shards > 1 else 0
    )
    _describe(writer, ids)
    for tensor, values in _tensors().items():
        if values.ndim == 1:
            writer.add_tensor(tensor, values)
        else:
            writer.add_tensor(tensor, quantize(values, _Q8), raw_dtype=_Q8)
    writer.write_header_to_file(file)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if shards == 1:
        return [file]
    written = [file.with_name(f"{file.stem}-{number + 1:05}-of-{shards:05}.gguf") for number in range(shards)]
    return [shard.rename(shard.with_suffix(file.suffix)) for shard in written]


def _describe(writer: GGUFWriter, ids: dict[str, int]) -> None:
    writer.add_name("Tiny")
    writer.add_file_type(7)
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(2 * _WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([_CONTROL if token in SPECIAL else _NORMAL for token in TOKENS])
    writer.add_token_merges(["a b"])
    writer.add_chat_template([{"name": "default", "template": CHATML}, {"name": "loud", "template": "LOUD"}])
    for name, id in ({"bos": 1, "eos": 2, "padding": 0} | ids).items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", id)


def _tensors() -> dict[str, Any]:
    chance = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(TOKENS), _WIDTH),
        "output.weight": (len(TOKENS), _WIDTH),
        "output_norm.weight": (_WIDTH,),
    }
    for layer in range(_LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"blk.{layer}.{name}.weight"] = (_WIDTH, _WIDTH)
        for name, shape in (
            ("gate", (2 * _WIDTH, _WIDTH)),
            ("up", (2 * _WIDTH, _WIDTH)),
            ("down", (_WIDTH, 2 * _WIDTH)),
        ):
            shapes[f"blk.{layer}.ffn_{name}.weight"] = shape
        shapes |= {f"blk.{layer}.{name}.weight": (_WIDTH,) for name in ("attn_norm", "ffn_norm")}
    return {name: chance.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
