"""Loading a real model: once, with a cache of the size that was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openvino_genai as genai
import pytest
from tests.plugins.ovms_llm.conftest import MakeEngine, generate, run

from ovms_core.engine import LoadError
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.messages import Chat, Generate, Prompt, Sampling, Started, Text
from ovms_llm.model import loading

pytestmark = pytest.mark.real


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The arguments of the pipelines that are built."""
    built: list[tuple[Any, ...]] = []
    build = genai.ContinuousBatchingPipeline

    def recorded(*arguments: Any) -> Any:
        built.append(arguments)
        return build(*arguments)

    monkeypatch.setattr(genai, "ContinuousBatchingPipeline", recorded)
    return built


def test_the_pipeline_is_built_once_with_the_cache_and_the_threads_that_it_may_have(
    make_engine: MakeEngine, pipelines: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "thread_limit", lambda device: {"INFERENCE_NUM_THREADS": 1})
    engine = make_engine(cache_size=0.05, kv_cache_precision="f16")
    [arguments] = pipelines
    assert arguments[3]["INFERENCE_NUM_THREADS"] == 1
    assert 0.048 < engine.info().details["cache_size_gb"] <= 0.05


def test_deterministic_means_f32_all_through(make_engine: MakeEngine, pipelines: list[tuple[Any, ...]]) -> None:
    engine = make_engine(cache_size=0.05, deterministic=True)
    [arguments] = pipelines
    assert arguments[3] == {
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
        "INFERENCE_PRECISION_HINT": "f32",
        "KV_CACHE_PRECISION": "f32",
    }
    assert engine.info().precision == "f32"
    of_the_companion = 3 * 32
    assert engine.info().details["cache_tokens"] == pytest.approx(0.05 * 2**30 / 46_080 - of_the_companion, abs=32)


def test_a_cache_that_is_too_small_is_told_what_would_do(make_engine: MakeEngine) -> None:
    with pytest.raises(LoadError, match=r"set options\.cache_size to 0\.007 or more") as refused:
        make_engine(cache_size=0.001)
    assert "0.001 GB holds 78 tokens" in str(refused.value)
    assert make_engine(cache_size=0.007).info().details["cache_tokens"] >= 512


def test_a_precision_that_the_device_lacks_is_named(make_engine: MakeEngine) -> None:
    with pytest.raises(LoadError, match=r"i8.*try without options\.kv_cache_precision"):
        make_engine(cache_size=0.05, kv_cache_precision="i8")


def test_a_device_that_is_not_there_is_named(make_engine: MakeEngine) -> None:
    with pytest.raises(LoadError, match=r"GPU\.7.*CPU"):
        make_engine(device="GPU.7", cache_size=0.05)


def test_a_folder_without_a_model_says_what_is_missing(make_engine: MakeEngine, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"neither openvino_model\.xml nor a \.gguf file"):
        make_engine(path=tmp_path, cache_size=0.05)


def test_a_start_that_was_told_is_not_told_again(engine: TextGeneration) -> None:
    request = Generate(prompt=Text("Once"), sampling=Sampling(max_tokens=2, temperature=0), started=True)
    [outcome] = run(engine, request)
    assert not any(isinstance(gain, Started) for gain in outcome.gains)
    [afresh] = run(engine, generate("Once", max_tokens=2))
    assert afresh.text() == outcome.text()


def test_a_chat_is_as_long_as_the_model_says_unless_the_request_does(
    make_engine: MakeEngine, engine: TextGeneration, converted_dir: Path, tmp_path: Path
) -> None:
    assert engine.info().device == "CPU"  # it has been converted
    for file in (converted_dir / "openvino").iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "generation_config.json").write_text('{"max_new_tokens": 3, "eos_token_id": 2}')
    brief = make_engine(path=tmp_path, cache_size=0.01, max_model_len=160)
    chat = Chat([{"role": "user", "content": "Tell me a long story."}])

    def length(prompt: Prompt, max_tokens: int | None) -> int:
        sampling = Sampling(max_tokens=max_tokens, temperature=0, ignore_eos=True)
        return len(run(brief, Generate(prompt=prompt, sampling=sampling))[0].tokens())

    assert length(chat, None) == 3
    assert length(chat, 5) == 5
    assert length(Text("Once upon a time"), None) > 100


def test_an_answer_ends_where_any_file_of_the_model_says(
    make_engine: MakeEngine, engine: TextGeneration, converted_dir: Path, tmp_path: Path
) -> None:
    assert engine.info().details["end_tokens"] == {"<|im_end|>": 2}
    for file in (converted_dir / "openvino").glob("openvino_*"):
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 0}')
    end = {"__type": "AddedToken", "content": "<|im_end|>", "lstrip": False}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": end}))
    both = make_engine(path=tmp_path, cache_size=0.01)
    assert both.info().details["end_tokens"] == {"<|endoftext|>": 0, "<|im_end|>": 2}
    chat = Chat([{"role": "user", "content": "Say hello."}])
    [outcome] = run(both, Generate(prompt=chat, sampling=Sampling(max_tokens=100, temperature=0)))
    assert outcome.last().finish_reason == "stop"
    assert "user\n" not in outcome.text()
