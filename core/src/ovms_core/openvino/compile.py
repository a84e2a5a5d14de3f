"""Reading and compiling a model for a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openvino as ov

from ovms_core.errors import LoadError
from ovms_core.openvino.cpus import usable_cpus
from ovms_core.openvino.device import choose_device
from ovms_core.openvino.failure import reason
from ovms_core.openvino.options import CompileOptions


def read_model(file: Path, core: ov.Core) -> ov.Model:
    """The model in `file` (OpenVINO IR or ONNX). Raises `LoadError` when OpenVINO cannot read it."""
    try:
        return core.read_model(file)
    except RuntimeError as error:
        raise LoadError(f"OpenVINO cannot read '{file.name}': {reason(error)}. Fetch or export it anew.") from error


def compile_model(
    model: ov.Model, device: str, options: CompileOptions, core: ov.Core, *, cache_dir: Path | None = None
) -> ov.CompiledModel:
    """Compile `model` for `device` (``AUTO`` included). Raises `LoadError` with what to change."""
    chosen = choose_device(device, core)
    try:
        return core.compile_model(model, chosen, properties(chosen, options, cache_dir))
    except RuntimeError as error:
        raise LoadError(
            f"OpenVINO cannot compile the model for {chosen}: {reason(error)}. "
            f"Try another 'device', or check options.plugin_config."
        ) from error


def properties(device: str, options: CompileOptions, cache_dir: Path | None) -> dict[str, Any]:
    """OpenVINO's properties for `options`; `plugin_config` has the last word.

    The CPU computes in f32 unless told otherwise: in bf16, its own choice where the processor has it, vectors
    differ in the third digit and depend on their neighbours in the batch.
    """
    config: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT" if options.streams > 1 else "LATENCY"}
    if device.startswith(("CPU", "GPU")):
        config["NUM_STREAMS"] = str(options.streams)
    if device.startswith("CPU"):
        config["INFERENCE_NUM_THREADS"] = usable_cpus()
    precision = options.inference_precision or ("f32" if device == "CPU" else None)
    if precision:
        config["INFERENCE_PRECISION_HINT"] = precision
    if cache_dir is not None:
        config["CACHE_DIR"] = str(cache_dir)
    return config | options.plugin_config
