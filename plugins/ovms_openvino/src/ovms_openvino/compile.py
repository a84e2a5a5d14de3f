"""Reading and compiling a model for a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openvino as ov

from ovms_core.engine import LoadError
from ovms_openvino.cpus import usable_cpus
from ovms_openvino.device import choose_device
from ovms_openvino.failure import reason
from ovms_openvino.options import CompileOptions


def read_model(file: Path, core: ov.Core) -> ov.Model:
    """The model in `file` (OpenVINO IR or ONNX). Raises `LoadError` when OpenVINO cannot read it."""
    try:
        return core.read_model(file)
    except RuntimeError as error:
        raise LoadError(f"OpenVINO cannot read '{file.name}': {reason(error)}. Fetch or export it anew.") from error


def compile_model(
    model: ov.Model, device: str, options: CompileOptions, core: ov.Core, *, cache_dir: Path | None = None
) -> ov.CompiledModel:
    """Compile `model` for `device` (``AUTO`` included). Raises `LoadError` with what to change.

    On a CPU the compiled model has one stream, and a stream's share of the threads: see `compile_streams`.
    """
    chosen = choose_device(device, core)
    try:
        return core.compile_model(model, chosen, properties(chosen, options, cache_dir))
    except RuntimeError as error:
        raise LoadError(
            f"OpenVINO cannot compile the model for {chosen}: {reason(error)}. "
            f"Try another 'device', or check options.plugin_config."
        ) from error


def compile_streams(
    model: ov.Model, device: str, options: CompileOptions, core: ov.Core, *, cache_dir: Path | None = None
) -> list[ov.CompiledModel]:
    """For each stream of `options` the compiled model that it runs on. Raises `LoadError` as `compile_model` does.

    On a CPU every stream has one of its own. The streams of one compiled model share the weights that OpenVINO has
    reordered for its kernels, and now and then a layer gets those of another one (shown in docs/engine-notes.md).
    """
    if choose_device(device, core).startswith("CPU"):
        return [compile_model(model, device, options, core, cache_dir=cache_dir) for _ in range(options.streams)]
    return [compile_model(model, device, options, core, cache_dir=cache_dir)] * options.streams


def properties(device: str, options: CompileOptions, cache_dir: Path | None) -> dict[str, Any]:
    """OpenVINO's properties for `options`; `plugin_config` has the last word.

    The CPU computes in f32 unless told otherwise: in bf16, its own choice where the processor has it, vectors
    differ in the third digit and depend on their neighbours in the batch.
    """
    several = options.streams > 1
    if device.startswith("CPU"):
        config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}
        config["INFERENCE_NUM_THREADS"] = max(1, usable_cpus() // options.streams)
        if several:  # each would be pinned to the same, the first cores
            config["ENABLE_CPU_PINNING"] = False
    else:
        config = {"PERFORMANCE_HINT": "THROUGHPUT" if several else "LATENCY"}
        if device.startswith("GPU"):
            config["NUM_STREAMS"] = str(options.streams)
    precision = options.inference_precision or ("f32" if device == "CPU" else None)
    if precision:
        config["INFERENCE_PRECISION_HINT"] = precision
    if cache_dir is not None:
        config["CACHE_DIR"] = str(cache_dir)
    return config | options.plugin_config
