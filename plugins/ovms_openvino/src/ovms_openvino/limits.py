"""How batches are formed for a device. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from ovms_core.engine import BatchLimits, Shapes
from ovms_openvino.cpus import usable_cpus
from ovms_openvino.files import find_model_file, weights_size
from ovms_openvino.options import CompileOptions, EncoderOptions

OptionsT = TypeVar("OptionsT", bound=CompileOptions)

_GPU_BATCH_TOKENS = 16384
_GPU_OVERHEAD_TOKENS = 1024
_CPU_OVERHEAD_TOKENS = 20
_CPU_BATCH_TOKENS = 512
_CPU_BATCH_TOKENS_PER_CORE = 128
_WEIGHTS_A_CORE = 32 << 20
_MOST_STREAMS = 8


def with_streams(options: OptionsT, device: str, path: Path) -> OptionsT:
    """`options` with the number of streams for the model at `path` on `device`, where they leave it open.

    Cores that share one small batch wait for each other more than they compute, so on CPU a stream has a core for
    every 32 MiB of weights, and there are as many streams as that leaves. Every stream has memory of its own for every
    shape that it has seen, hence no more than eight. Raises `LoadError` when there is no model at `path`.
    """
    if options.num_streams is not None or not device.startswith("CPU"):
        return options
    cores = 1 + weights_size(find_model_file(path)) // _WEIGHTS_A_CORE
    return options.model_copy(update={"num_streams": max(1, min(_MOST_STREAMS, usable_cpus() // cores))})


def encoder_limits(options: EncoderOptions, device: str, max_length: int) -> BatchLimits:
    """The limits for a model of `max_length` tokens on `device`, as `choose_device` names it.

    A CPU is as fast with a few hundred tokens as with thousands, and a small batch keeps everyone's wait short; a GPU
    needs thousands to be busy. Measure your own with ``benchmarks/embeddings.py``.
    """
    on_gpu = device.startswith("GPU")
    cpu_tokens = max(_CPU_BATCH_TOKENS, _CPU_BATCH_TOKENS_PER_CORE * usable_cpus() // options.streams)
    return BatchLimits(
        shapes=Shapes.up_to(max_length, max_rows=256 if on_gpu else 64),
        max_batch_tokens=options.max_batch_tokens or (_GPU_BATCH_TOKENS if on_gpu else cpu_tokens),
        streams=options.streams,
        overhead_tokens=_GPU_OVERHEAD_TOKENS if on_gpu else _CPU_OVERHEAD_TOKENS,
        across_requests=options.batch_across_requests,
    )
