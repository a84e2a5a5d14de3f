"""OpenVINO's properties from a model's options."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ovms_core.openvino import limits
from ovms_core.openvino.compile import properties
from ovms_core.openvino.limits import encoder_limits, with_streams
from ovms_core.openvino.options import CompileOptions, EncoderOptions


def test_one_stream_is_for_latency_and_several_are_for_throughput() -> None:
    assert properties("CPU", CompileOptions(), None)["PERFORMANCE_HINT"] == "LATENCY"
    several = properties("CPU", CompileOptions(num_streams=4), None)
    assert (several["PERFORMANCE_HINT"], several["NUM_STREAMS"]) == ("THROUGHPUT", "4")


def test_the_cpu_computes_in_f32_unless_told_otherwise() -> None:
    assert properties("CPU", CompileOptions(), None)["INFERENCE_PRECISION_HINT"] == "f32"
    assert "INFERENCE_PRECISION_HINT" not in properties("GPU", CompileOptions(), None)
    options = CompileOptions(inference_precision="bf16")
    assert properties("CPU", options, None)["INFERENCE_PRECISION_HINT"] == "bf16"


def test_the_plugin_configuration_has_the_last_word(tmp_path: Path) -> None:
    options = CompileOptions(plugin_config={"CACHE_DIR": "elsewhere", "ENABLE_HYPER_THREADING": False})
    config = properties("CPU", options, tmp_path)
    assert (config["CACHE_DIR"], config["ENABLE_HYPER_THREADING"]) == ("elsewhere", False)


def test_a_gpu_gets_larger_batches_than_a_cpu() -> None:
    options = EncoderOptions()
    assert encoder_limits(options, "GPU.1", 512).max_batch_tokens > encoder_limits(options, "CPU", 512).max_batch_tokens


def test_options_reach_the_limits() -> None:
    options = EncoderOptions(max_batch_tokens=777, num_streams=3, batch_across_requests=False)
    limits = encoder_limits(options, "CPU", 100)
    assert (limits.max_batch_tokens, limits.streams, limits.across_requests) == (777, 3, False)
    assert limits.shapes.lengths[-1] == 100


@pytest.mark.parametrize(("mebibytes", "streams"), [(20, 4), (60, 2), (100, 1), (4000, 1)])
def test_a_stream_has_the_more_cores_the_larger_the_model(
    mebibytes: int, streams: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "usable_cpus", lambda: 4)
    (tmp_path / "openvino_model.xml").touch()
    with (tmp_path / "openvino_model.bin").open("wb") as weights:
        weights.truncate(mebibytes << 20)
    assert with_streams(EncoderOptions(), "CPU", tmp_path).streams == streams
    assert with_streams(EncoderOptions(), "GPU", tmp_path).streams == 1
    assert with_streams(EncoderOptions(num_streams=3), "CPU", tmp_path).streams == 3


def test_weights_beside_an_onnx_file_count_and_streams_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "usable_cpus", lambda: 64)
    (tmp_path / "model.onnx").touch()
    assert with_streams(EncoderOptions(), "CPU", tmp_path).streams == 8
    with (tmp_path / "model.onnx_data").open("wb") as weights:
        weights.truncate(1 << 30)
    assert with_streams(EncoderOptions(), "CPU", tmp_path).streams == 1


@pytest.mark.parametrize("wrong", [{"num_streams": 0}, {"inference_precision": "f64"}, {"streams": 2}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EncoderOptions.model_validate(wrong)
