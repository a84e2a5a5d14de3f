"""A queue of pictures over HTTP, against the bare pipeline: same model, prompts, steps and seeds, in turn.

The bare pipeline only generates: it writes no file, so what the server spends on PNG counts against it.
"""

from __future__ import annotations

import statistics
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.bare import answer_lines, bare, say
from benchmarks.embeddings import print_ratio
from benchmarks.http import answer_all, request
from benchmarks.servers import serving

_CLIENTS = 4
_STEPS = 20
_GUIDANCE = 3.5
_PROMPT = "a red circle on a blue background"


def serve_bare_pipeline() -> None:
    """For every count and side, the pictures that were drawn a second."""
    import openvino_genai as genai

    pipe = genai.Text2ImagePipeline(Path(str(files("ovms_starter"))) / "models" / "shapes", "CPU")
    settings = {"num_inference_steps": _STEPS, "guidance_scale": _GUIDANCE}
    for count, side in answer_lines("ready"):
        start = time.perf_counter()
        for seed in range(count):
            pipe.generate(_PROMPT, rng_seed=seed, width=side, height=side, **settings).data.copy()
        say(count / (time.perf_counter() - start))


def server_speed(port: int, count: int, side: int) -> float:
    """Pictures a second, with always some waiting in the queue."""
    asked = [request("/v3/images/generations", _body(seed, side)) for seed in range(count)]
    _, seconds = answer_all(port, asked, clients=_CLIENTS)
    return count / seconds


def _body(seed: int, side: int) -> dict[str, Any]:
    size = f"{side}x{side}"
    asked = {"num_inference_steps": _STEPS, "guidance_scale": _GUIDANCE}
    return {"prompt": _PROMPT, "seed": seed, "size": size, **asked}


def main(rounds: int = 7) -> None:
    """Measure both in turn, at two sizes, and print the ratios."""
    print(f"Images over HTTP, {_CLIENTS} clients ('shapes' int8, {_STEPS} steps, CPU; pictures/s, medians of rounds)")
    with bare("images") as pipeline, serving({"name": "shapes", "source": "starter:shapes"}) as port:
        for side, count in ((128, 24), (256, 12)):
            pairs = []
            for number in range(rounds + 1):
                pair = pipeline.ask([count, side]), server_speed(port, count, side)
                if number:  # the first round warms up
                    pairs.append(pair)
            bare_speed, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"  {side}x{side}: bare pipeline {bare_speed:.2f}, server {ours:.2f}")
            print_ratio("server / bare pipeline", [server / pipeline for pipeline, server in pairs])


if __name__ == "__main__":
    serve_bare_pipeline() if sys.argv[1:2] == ["bare"] else main()
