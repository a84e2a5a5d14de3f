"""Loading a model: device, properties, and a KV cache of a known size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import openvino as ov
import openvino_genai as genai

from ovms_core.engine import LoadError, ModelSpec
from ovms_core.resources import available_memory
from ovms_llm.model.budget import (
    GIB,
    PROBE_TOKENS,
    Cache,
    Head,
    attention_states,
    block_size_of,
    bytes_per_token,
    default_cache_bytes,
)
from ovms_llm.model.model_folder import ModelFolder, open_model
from ovms_llm.options import TextGenerationOptions
from ovms_llm.prompt.own_templates import own_templates
from ovms_llm.prompt.templates import ChatTemplate
from ovms_openvino.compile import read_model
from ovms_openvino.conversion import TOKENIZERS
from ovms_openvino.cpus import thread_limit
from ovms_openvino.device import choose_device
from ovms_openvino.failure import reason

_BLOCK: Final = 32
_FEWEST_BLOCKS: Final = PROBE_TOKENS // 8  # enough for the probe, whatever the size of a block
_TOLERANCE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to generate.

    `vocabulary_size` is the number of logits, where the model says so. `templates` are the operator's.
    """

    pipeline: Any
    folder: ModelFolder
    options: TextGenerationOptions
    device: str
    precision: str
    cache: Cache
    max_model_len: int
    vocabulary_size: int | None
    templates: dict[str, str]


def load(model: ModelSpec) -> Loaded:
    """Load `model` as its options say. Raises `LoadError`, saying what to do about it."""
    options = TextGenerationOptions.model_validate(model.options)
    core = ov.Core()
    device = choose_device(model.device, core)
    folder = open_model(model)
    templates = own_templates(options.chat_template, folder.source) if options.chat_template else {}
    network = read_model(folder.path / "openvino_model.xml", core)
    heads = attention_states(network)
    vocabulary_size = _vocabulary_size(network)
    del network
    max_model_len = min(options.max_model_len or folder.max_model_len, folder.max_model_len)
    budget = _cache_bytes(options, folder, heads, _kv_precision(core, device, options), max_model_len)
    pipeline, cache = _build(folder, device, options, max_model_len, budget)
    return Loaded(
        pipeline=pipeline,
        folder=folder,
        options=options,
        device=device,
        precision=_precision(core, device, options),
        cache=cache,
        max_model_len=max_model_len,
        vocabulary_size=vocabulary_size,
        templates=templates,
    )


@dataclass(frozen=True, slots=True)
class _CacheBudget:
    """What the cache may take, and what a token is expected to take."""

    bytes: int
    bytes_per_token: int


def _vocabulary_size(network: Any) -> int | None:
    last = network.output("logits").get_partial_shape()[-1]
    return int(last.get_length()) if last.is_static else None


def _precision(core: Any, device: str, options: TextGenerationOptions) -> str:
    hint = _properties(options).get("INFERENCE_PRECISION_HINT")
    return str(hint or _property(core, device, "INFERENCE_PRECISION_HINT") or "default")


def _kv_precision(core: Any, device: str, options: TextGenerationOptions) -> str:
    named = _properties(options).get("KV_CACHE_PRECISION")
    return str(named or _property(core, device, "KV_CACHE_PRECISION") or "u8")


def _property(core: Any, device: str, name: str) -> str | None:
    """A property that is an element type, such as ``u8``; `None` where the device does not know it."""
    try:
        return str(core.get_property(device, name).get_type_name())
    except (RuntimeError, AttributeError):
        return None


def _properties(options: TextGenerationOptions) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if options.deterministic:
        # 8-bit keys are scaled by block: a prompt read at once is then not quantised as the same tokens one by one.
        properties |= {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0", "INFERENCE_PRECISION_HINT": "f32"}
        properties |= {"KV_CACHE_PRECISION": "f32"}
    if options.kv_cache_precision:
        properties["KV_CACHE_PRECISION"] = options.kv_cache_precision
    if options.cache_dir:
        properties["CACHE_DIR"] = options.cache_dir
    return properties | options.plugin_config


def _cache_bytes(
    options: TextGenerationOptions, folder: ModelFolder, heads: list[Head], precision: str, max_model_len: int
) -> _CacheBudget:
    each = bytes_per_token(heads, precision)
    if options.cache_size is not None:
        _check_cache_size(options.cache_size, each)
        return _CacheBudget(int(options.cache_size * GIB), each)
    wanted = options.max_num_seqs * max_model_len * each
    return _CacheBudget(default_cache_bytes(available_memory(), folder.weight_bytes, wanted), each)


def _check_cache_size(size: float, bytes_per_token: int) -> None:
    tokens, fewest = int(size * GIB) // bytes_per_token, _FEWEST_BLOCKS * _BLOCK
    if tokens < fewest:
        # Rounded up in the last place that is shown, so that the size that is named will do.
        enough = math.ceil(fewest * bytes_per_token / GIB * 1000) / 1000
        raise LoadError(
            f"a KV cache of {size:g} GB holds {tokens} tokens of this model, and at least {fewest} are needed: "
            f"set options.cache_size to {enough:g} or more, or leave it out"
        )


def _scheduler(options: TextGenerationOptions, max_model_len: int, blocks: int) -> genai.SchedulerConfig:
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = 0
    scheduler.num_kv_blocks = blocks
    scheduler.dynamic_split_fuse = options.dynamic_split_fuse
    scheduler.enable_prefix_caching = options.enable_prefix_caching
    scheduler.max_num_seqs = options.max_num_seqs + options.deterministic  # one more runs beside them
    tokens = options.max_num_batched_tokens
    # Without split fuse a prompt is processed whole, and one over the limit would wait for ever.
    scheduler.max_num_batched_tokens = tokens if options.dynamic_split_fuse else max(tokens, max_model_len)
    return scheduler


def _build(
    folder: ModelFolder, device: str, options: TextGenerationOptions, max_model_len: int, budget: _CacheBudget
) -> tuple[Any, Cache]:
    """A pipeline whose cache keeps to the budget: built again when a block turns out larger than expected."""
    blocks = max(_FEWEST_BLOCKS, budget.bytes // (budget.bytes_per_token * _BLOCK))
    pipeline = _pipeline(folder, device, _scheduler(options, max_model_len, blocks), options)
    cache = _probe(pipeline, blocks)
    right = max(_FEWEST_BLOCKS, budget.bytes * blocks // cache.bytes)
    if abs(right - blocks) <= blocks * _TOLERANCE:
        return pipeline, cache
    del pipeline
    pipeline = _pipeline(folder, device, _scheduler(options, max_model_len, right), options)
    return pipeline, _probe(pipeline, right)


def _pipeline(
    folder: ModelFolder, device: str, scheduler: genai.SchedulerConfig, options: TextGenerationOptions
) -> Any:
    properties = thread_limit(device) | _properties(options)
    try:
        return genai.ContinuousBatchingPipeline(str(folder.path), scheduler, device, properties)
    except (RuntimeError, ValueError) as error:
        _require_tokenizer(folder)
        chosen = options.kv_cache_precision or options.plugin_config
        advice = (
            "try without options.kv_cache_precision and options.plugin_config"
            if chosen
            else "export it anew with 'optimum-cli export openvino', or try another device"
        )
        raise LoadError(f"OpenVINO GenAI cannot load the model on {device}: {reason(error)}; {advice}") from error


def _require_tokenizer(folder: ModelFolder) -> None:
    """Raise `LoadError` when it is the tokenizer that cannot be loaded: GenAI does not say which part it was."""
    try:
        genai.Tokenizer(str(folder.path))
    except (RuntimeError, ValueError) as error:
        raise LoadError(
            f"OpenVINO GenAI cannot load the model's {' or '.join(TOKENIZERS)}: {reason(error)}. Make them with "
            "'convert_tokenizer ORIGINAL_MODEL --with-detokenizer -o FOLDER'; or delete them, to have them made from "
            "the model's tokenizer.json"
        ) from error


def _probe(pipeline: Any, blocks: int) -> Cache:
    """Generate one token, which warms the model up and shows how GenAI laid out its cache of `blocks`."""
    config = genai.GenerationConfig(max_new_tokens=1, ignore_eos=True)
    handle = pipeline.add_request(0, ov.Tensor(np.zeros((1, PROBE_TOKENS), np.int64)), config)
    while pipeline.has_non_finished_requests():
        pipeline.step()
    if handle.get_status() != genai.GenerationStatus.FINISHED:
        raise LoadError(f"a KV cache of {blocks} blocks is too small to generate at all: raise options.cache_size")
    metrics = pipeline.get_metrics()
    used = round(metrics.cache_usage * blocks / 100)
    return Cache(blocks=blocks, block_size=block_size_of(used), bytes=metrics.kv_cache_size_in_bytes)


def chat_template(loaded: Loaded, tokenizer: Any) -> ChatTemplate:
    """The operator's chat templates, else those of the model's files; the one in its tokenizer is the usual one."""
    templates = loaded.templates or {"default": tokenizer.chat_template} | loaded.folder.templates
    tokens = {"bos_token": tokenizer.get_bos_token(), "eos_token": tokenizer.get_eos_token()}
    return ChatTemplate(templates, tokens | loaded.folder.special_tokens, tokenizer.apply_chat_template)


def sampling_defaults(loaded: Loaded) -> dict[str, Any]:
    """Sampling of requests that name none: the operator's, else the model's."""
    names = ("temperature", "top_p", "top_k", "repetition_penalty")
    chosen = {name: getattr(loaded.options, name) for name in names}
    return loaded.folder.sampling_defaults | {name: value for name, value in chosen.items() if value is not None}
