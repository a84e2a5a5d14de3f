"""Folders of every family that GenAI loads, with models of a few operations in the places of the real ones.

They have the inputs, outputs and configurations that `optimum-cli export openvino` gives the real ones, so GenAI
takes them through its whole pipelines; what they draw is noise tinted by the prompt.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

VOCABULARY = 1000
WIDTH = 8
"""Of every text encoder's output."""

LENGTH = 20
"""Tokens that a CLIP encoder reads."""

FACTOR = 8
"""Pixels a latent is wide."""

Node = Any

CLASSES: dict[str, dict[str, str | None]] = {
    "StableDiffusionPipeline": {"text_encoder": "CLIPTextModel", "unet": "UNet2DConditionModel"},
    "StableDiffusionInpaintPipeline": {"text_encoder": "CLIPTextModel", "unet": "UNet2DConditionModel"},
    "LatentConsistencyModelPipeline": {"text_encoder": "CLIPTextModel", "unet": "UNet2DConditionModel"},
    "StableDiffusionXLPipeline": {
        "text_encoder": "CLIPTextModel",
        "text_encoder_2": "CLIPTextModelWithProjection",
        "unet": "UNet2DConditionModel",
    },
    "StableDiffusion3Pipeline": {
        "text_encoder": "CLIPTextModelWithProjection",
        "text_encoder_2": "CLIPTextModelWithProjection",
        "text_encoder_3": "T5EncoderModel",
        "transformer": "SD3Transformer2DModel",
    },
    "FluxPipeline": {
        "text_encoder": "CLIPTextModel",
        "text_encoder_2": "T5EncoderModel",
        "transformer": "FluxTransformer2DModel",
    },
    "FluxFillPipeline": {
        "text_encoder": "CLIPTextModel",
        "text_encoder_2": "T5EncoderModel",
        "transformer": "FluxTransformer2DModel",
    },
}


def save_family(folder: Path, name: str, tokenizer: Path, **changes: Any) -> Path:
    """A model of the family `name` in `folder`. `changes` are put into the denoiser's configuration.

    ``text_encoder_3=None`` leaves Stable Diffusion 3's T5 out.
    """
    parts = CLASSES[name] | {part: None for part in changes if part in CLASSES[name] and changes[part] is None}
    for part, kind in parts.items():
        if part.startswith("text_encoder") and kind:
            save_encoder(folder / part, kind)
            shutil.copytree(tokenizer, folder / part.replace("text_encoder", "tokenizer"))
    denoiser = "unet" if "unet" in parts else "transformer"
    settings = {key: value for key, value in changes.items() if key not in parts}
    SAVERS[name](folder / denoiser, settings)
    channels = 16 if denoiser == "transformer" else 4
    save_vae(folder, channels)
    index = {part: ["diffusers", kind] for part, kind in parts.items()}
    index |= {"vae": ["diffusers", "AutoencoderKL"], "scheduler": ["diffusers", SCHEDULERS[name]["_class_name"]]}
    write_json(folder / "model_index.json", {"_class_name": name, **index})
    write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULERS[name])
    return folder


BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
FLOW = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "shift": 3.0,
    "base_image_seq_len": 256,
    "max_image_seq_len": 4096,
    "base_shift": 0.5,
    "max_shift": 1.15,
}
SCHEDULERS: dict[str, dict[str, Any]] = {
    "StableDiffusionPipeline": {"_class_name": "PNDMScheduler", "skip_prk_steps": True, "steps_offset": 1, **BETAS},
    "StableDiffusionInpaintPipeline": {"_class_name": "DDIMScheduler", "clip_sample": False, **BETAS},
    "LatentConsistencyModelPipeline": {"_class_name": "LCMScheduler", "original_inference_steps": 50, **BETAS},
    "StableDiffusionXLPipeline": {"_class_name": "EulerDiscreteScheduler", "steps_offset": 1, **BETAS},
    "StableDiffusion3Pipeline": {**FLOW, "use_dynamic_shifting": False},
    "FluxPipeline": {**FLOW, "use_dynamic_shifting": True},
    "FluxFillPipeline": {**FLOW, "use_dynamic_shifting": True},
}


def write_json(file: Path, document: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document))


def save(file: Path, inputs: list[Node], **outputs: Node) -> None:
    results = []
    for name, node in outputs.items():
        result = ops.result(node)
        result.output(0).get_tensor().set_names({name})
        node.output(0).get_tensor().set_names({name})
        results.append(result)
    file.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(ov.Model(results, inputs, file.parent.name), file, compress_to_fp16=False)


def taking(name: str, *shape: int, kind: Any = np.float32) -> Node:
    node = ops.parameter(list(shape), kind, name=name)
    node.output(0).get_tensor().set_names({name})
    return node


def numbers(*values: int) -> Node:
    return ops.constant(np.array(values, dtype=np.int64))


def save_encoder(folder: Path, kind: str) -> None:
    ids = taking("input_ids", -1, -1, kind=np.int64)
    table = np.random.default_rng(0).normal(size=(VOCABULARY, WIDTH)).astype(np.float32)
    hidden = ops.gather(ops.constant(table), ids, numbers(0))
    if kind == "T5EncoderModel":
        write_json(folder / "config.json", {"model_type": "t5", "d_model": WIDTH})
        save(folder / "openvino_model.xml", [ids], last_hidden_state=hidden)
        return
    pooled = ops.reduce_mean(hidden, numbers(1))
    write_json(
        folder / "config.json", {"max_position_embeddings": LENGTH, "num_hidden_layers": 1, "model_type": "clip"}
    )
    layers = {f"hidden_states.{number}": ops.multiply(hidden, ops.constant(np.float32(1))) for number in range(2)}
    if kind == "CLIPTextModel":
        outputs = {"last_hidden_state": hidden, "pooler_output": pooled}
    else:
        outputs = {"text_embeds": pooled, "last_hidden_state": hidden}
    save(folder / "openvino_model.xml", [ids], **outputs, **layers)


def tinted(sample: Node, words: Node) -> Node:
    """`sample`, shifted by the mean of `words`."""
    mean = ops.reduce_mean(words, numbers(0, 1, 2))
    return ops.add(ops.multiply(sample, ops.constant(np.float32(0.5))), mean)


def save_unet(folder: Path, changes: dict[str, Any], **extra: tuple[int, ...]) -> None:
    sample, timestep = taking("sample", -1, -1, -1, -1), taking("timestep", -1, kind=np.int64)
    words = taking("encoder_hidden_states", -1, -1, -1)
    others = [taking(name, *shape) for name, shape in extra.items()]
    config = {"in_channels": 4, "sample_size": 8, "block_out_channels": [1, 1, 1, 1], **changes}
    write_json(folder / "config.json", config)
    latent = ops.slice(sample, numbers(0), numbers(4), numbers(1), numbers(1))
    save(folder / "openvino_model.xml", [sample, timestep, words, *others], out_sample=tinted(latent, words))


def save_inpainting(folder: Path, changes: dict[str, Any]) -> None:
    save_unet(folder, {"in_channels": 4 + 1 + 4, **changes})


def save_lcm(folder: Path, changes: dict[str, Any]) -> None:
    save_unet(folder, {"time_cond_proj_dim": 16, **changes}, timestep_cond=(-1, 16))


def save_xl(folder: Path, changes: dict[str, Any]) -> None:
    save_unet(folder, changes, text_embeds=(-1, -1), time_ids=(-1, 6))


def save_sd3(folder: Path, changes: dict[str, Any]) -> None:
    sample, timestep = taking("hidden_states", -1, 16, -1, -1), taking("timestep", -1)
    words, pooled = taking("encoder_hidden_states", -1, -1, -1), taking("pooled_projections", -1, -1)
    config = {"in_channels": 16, "sample_size": 8, "patch_size": 2, "joint_attention_dim": 2 * WIDTH, **changes}
    write_json(folder / "config.json", config)
    inputs = [sample, words, pooled, timestep]
    save(folder / "openvino_model.xml", inputs, out_sample=tinted(sample, words))


def save_flux(folder: Path, changes: dict[str, Any]) -> None:
    channels = changes.get("in_channels", 64)
    sample, timestep = taking("hidden_states", -1, -1, channels), taking("timestep", -1)
    words, pooled = taking("encoder_hidden_states", -1, -1, -1), taking("pooled_projections", -1, -1)
    ids = [taking("img_ids", -1, 3), taking("txt_ids", -1, 3)]
    config = {"in_channels": channels, "guidance_embeds": True, **changes}
    write_json(folder / "config.json", config)
    guidance = [taking("guidance", -1)] if config["guidance_embeds"] else []
    noise = ops.slice(sample, numbers(0), numbers(64), numbers(1), numbers(2))
    inputs = [sample, words, pooled, timestep, *ids, *guidance]
    save(folder / "openvino_model.xml", inputs, out_sample=tinted(noise, words))


def save_flux_fill(folder: Path, changes: dict[str, Any]) -> None:
    save_flux(folder, {"in_channels": 64 + 64 + 4 * FACTOR * FACTOR, **changes})


SAVERS = {
    "StableDiffusionPipeline": save_unet,
    "StableDiffusionInpaintPipeline": save_inpainting,
    "LatentConsistencyModelPipeline": save_lcm,
    "StableDiffusionXLPipeline": save_xl,
    "StableDiffusion3Pipeline": save_sd3,
    "FluxPipeline": save_flux,
    "FluxFillPipeline": save_flux_fill,
}


def save_vae(folder: Path, channels: int) -> None:
    """A decoder that shows a latent's first three channels, and an encoder that puts a picture there."""
    latent = taking("latent_sample", -1, channels, -1, -1)
    shown = ops.slice(latent, numbers(0), numbers(3), numbers(1), numbers(1))
    scales = ops.constant(np.array([FACTOR, FACTOR], dtype=np.float32))
    large = ops.interpolate(shown, scales, "nearest", "scales", axes=numbers(2, 3))
    config = {"latent_channels": channels, "block_out_channels": [1, 1, 1, 1], "scaling_factor": 1.0}
    write_json(folder / "vae_decoder" / "config.json", config)
    save(folder / "vae_decoder" / "openvino_model.xml", [latent], sample=large)
    picture = taking("sample", -1, 3, -1, -1)
    small = ops.avg_pool(picture, [FACTOR, FACTOR], [0, 0], [0, 0], [FACTOR, FACTOR], False)
    rest = ops.tile(ops.multiply(small, ops.constant(np.float32(0))), numbers(1, channels, 1, 1))
    padded = ops.concat([small, rest], 1)
    parameters = ops.slice(padded, numbers(0), numbers(2 * channels), numbers(1), numbers(1))
    write_json(folder / "vae_encoder" / "config.json", config)
    save(folder / "vae_encoder" / "openvino_model.xml", [picture], latent_parameters=parameters)
