"""The bare engine loop: GenAI's continuous batching pipeline, stepped by nothing but this file.

Started with a model specification as JSON. For every line on standard input, a JSON object with `prompts`
and `tokens`, it generates greedily and prints one line of JSON with the figures.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import msgspec
import openvino_genai as genai

from ovms_core.engine import ModelSpec
from ovms_llm.loading import load


def run(pipeline: Any, prompts: list[str], tokens: int) -> dict[str, float]:
    """Generate `tokens` for each prompt; seconds in all, mean seconds to the first token, and tokens."""
    tokenizer = pipeline.get_tokenizer()
    config = genai.GenerationConfig(max_new_tokens=tokens, ignore_eos=True)
    start = time.perf_counter()
    handles = {}
    for number, prompt in enumerate(prompts):
        rendered = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True)
        ids = tokenizer.encode(rendered, add_special_tokens=False).input_ids
        handles[number] = pipeline.add_request(number, ids, config)
    first: dict[int, float] = {}
    count = 0
    while pipeline.has_non_finished_requests():
        pipeline.step()
        for number, handle in handles.items():
            if handle.can_read():
                first.setdefault(number, time.perf_counter() - start)
                count += sum(len(output.generated_ids) for output in handle.read().values())
    return {"seconds": time.perf_counter() - start, "first": sum(first.values()) / len(first), "tokens": count}


def main() -> None:
    """Load, say so, and answer until standard input ends."""
    start = time.perf_counter()
    loaded = load(msgspec.json.decode(sys.argv[1], type=ModelSpec))
    print(json.dumps({"loaded": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(loaded.pipeline, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
