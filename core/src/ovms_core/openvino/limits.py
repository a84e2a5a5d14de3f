"""How batches are formed for a device. Imports nothing heavy."""

from __future__ import annotations

import os

from ovms_core.engine import BatchLimits, Shapes
from ovms_core.openvino.options import EncoderOptions

_GPU_BATCH_TOKENS = 16384
_GPU_OVERHEAD_TOKENS = 1024
_CPU_OVERHEAD_TOKENS = 32
_CPU_BATCH_TOKENS = 512
_CPU_BATCH_TOKENS_PER_CORE = 128


def usable_cpus() -> int:
    """The CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def encoder_limits(options: EncoderOptions, device: str, max_length: int) -> BatchLimits:
    """The limits for a model of `max_length` tokens on `device`, as `choose_device` names it.

    A CPU is as fast with a few hundred tokens as with thousands, and a small batch keeps everyone's wait short; a GPU
    needs thousands to be busy. Measure your own with ``benchmarks/embeddings.py``.
    """
    on_gpu = device.startswith("GPU")
    cpu_tokens = max(_CPU_BATCH_TOKENS, _CPU_BATCH_TOKENS_PER_CORE * usable_cpus() // options.num_streams)
    return BatchLimits(
        shapes=Shapes.up_to(max_length, max_rows=256 if on_gpu else 64),
        max_batch_tokens=options.max_batch_tokens or (_GPU_BATCH_TOKENS if on_gpu else cpu_tokens),
        streams=options.num_streams,
        overhead_tokens=_GPU_OVERHEAD_TOKENS if on_gpu else _CPU_OVERHEAD_TOKENS,
        across_requests=options.batch_across_requests,
    )
