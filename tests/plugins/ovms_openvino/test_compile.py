"""OpenVINO's properties from a model's options."""

from __future__ import annotations

from pathlib import Path

import openvino as ov
import pytest
from pydantic import ValidationError
from tests.plugins.ovms_openvino.tiny import save_echo

from ovms_openvino import compile, limits
from ovms_openvino.compile import compile_streams, properties
from ovms_openvino.limits import encoder_limits, with_streams
from ovms_openvino.options import CompileOptions, EncoderOptions


def test_streams_share_the_threads_of_a_cpu_and_the_compiled_model_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile, "usable_cpus", lambda: 8)
    one, four = (properties("CPU", CompileOptions(num_streams=streams), None) for streams in (1, 4))
    assert (one["NUM_STREAMS"], one["INFERENCE_NUM_THREADS"]) == ("1", 8)
    assert (four["NUM_STREAMS"], four["INFERENCE_NUM_THREADS"], four["ENABLE_CPU_PINNING"]) == ("1", 2, False)
    gpu = properties("GPU", CompileOptions(num_streams=4), None)
    assert (gpu["NUM_STREAMS"], gpu["PERFORMANCE_HINT"]) == ("4", "THROUGHPUT")


def test_every_stream_of_a_cpu_has_a_compiled_model_of_its_own(tmp_path: Path) -> None:
    core = ov.Core()
    model = core.read_model(save_echo(tmp_path, "input_ids") / "openvino_model.xml")
    compiled = compile_streams(model, "CPU", CompileOptions(num_streams=3), core)
    assert len({id(stream) for stream in compiled}) == 3
    assert {stream.get_property("NUM_STREAMS") for stream in compiled} == {1}


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
