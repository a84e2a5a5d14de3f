"""How exactly a reranker computes."""

from __future__ import annotations

from ovms_rerank.task import RerankOptions


def exact_options(options: RerankOptions, device: str) -> RerankOptions:
    """Options that do not quantise activations on a CPU, unless the operator asks for speed or for that itself.

    OpenVINO does it by default for models with int8 or int4 weights, and moves scores by up to 0.005.
    """
    if not device.startswith("CPU") or options.inference_precision not in (None, "f32"):
        return options
    config = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"} | options.plugin_config
    return options.model_copy(update={"plugin_config": config})
