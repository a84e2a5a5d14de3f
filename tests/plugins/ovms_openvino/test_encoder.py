"""Running token sequences through a compiled model: padding, shapes, streams. The models show what they were fed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op
from tests.plugins.ovms_openvino.tiny import save_echo

from ovms_core.engine import Shapes
from ovms_core.errors import LoadError
from ovms_openvino.encoder import Encoder
from ovms_openvino.options import CompileOptions
from ovms_openvino.tokens import TokenSequence

SHAPES = Shapes(rows=(1, 2, 4), lengths=(4, 8))
BATCH = [TokenSequence((5, 6, 7), (0, 0, 1)), TokenSequence((8,)), TokenSequence((9, 9))]


def test_rows_are_padded_to_a_shape_and_those_that_fill_it_are_left_out(tmp_path: Path) -> None:
    encoder = Encoder(save_echo(tmp_path, "input_ids", "attention_mask"), "CPU", CompileOptions(), SHAPES, pad_id=3)
    values, mask = encoder.run(BATCH)
    assert values[:, :, 0].tolist() == [[5, 6, 7, 3], [8, 3, 3, 3], [9, 9, 3, 3]]
    assert values[:, :, 1].tolist() == mask.tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 0, 0]]


def test_padding_can_stand_on_the_left_with_positions_that_count_from_the_text(tmp_path: Path) -> None:
    folder = save_echo(tmp_path, "input_ids", "attention_mask", "position_ids")
    values, mask = Encoder(folder, "CPU", CompileOptions(), SHAPES, padding_side="left").run(BATCH)
    assert values[:, :, 0].tolist() == [[0, 5, 6, 7], [0, 0, 0, 8], [0, 0, 9, 9]]
    assert mask.tolist() == [[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1]]
    assert values[:, :, 2].tolist() == [[0, 0, 1, 2], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_token_types_are_fed_to_a_model_that_reads_them(tmp_path: Path) -> None:
    folder = save_echo(tmp_path, "input_ids", "attention_mask", "token_type_ids")
    values, _ = Encoder(folder, "CPU", CompileOptions(), SHAPES).run(BATCH)
    assert values[:, :, 2].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_results_are_copies_that_the_next_batch_does_not_overwrite(tmp_path: Path) -> None:
    encoder = Encoder(save_echo(tmp_path, "input_ids"), "CPU", CompileOptions(), SHAPES)
    first, _ = encoder.run([TokenSequence((1,) * 4)])
    encoder.run([TokenSequence((2,) * 4)])
    assert first.ravel().tolist() == [1, 1, 1, 1]


def test_streams_run_at_once_and_do_not_mix_their_batches(tmp_path: Path) -> None:
    encoder = Encoder(save_echo(tmp_path, "input_ids"), "CPU", CompileOptions(num_streams=2), SHAPES)

    def matches(id: int) -> bool:
        values, _ = encoder.run([TokenSequence((id,) * 8)] * 4)
        return bool(np.all(values == id))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(matches, range(400)))


def test_the_model_tells_its_outputs_its_device_and_its_precision(tmp_path: Path) -> None:
    encoder = Encoder(save_echo(tmp_path, "input_ids"), "CPU", CompileOptions(), SHAPES)
    assert encoder.outputs == [({"last_hidden_state"}, (None, None, 1))]
    assert (encoder.device, encoder.precision) == ("CPU", "f32")


def test_a_model_can_be_changed_before_it_is_compiled(tmp_path: Path) -> None:
    def double(model: ov.Model) -> None:
        result = model.get_results()[0]
        source = result.input_value(0)
        doubled = op.multiply(source, op.constant(np.float32(2)))
        result.input(0).replace_source_output(doubled.output(0))

    encoder = Encoder(save_echo(tmp_path, "input_ids"), "CPU", CompileOptions(), SHAPES, prepare=double)
    assert encoder.run([TokenSequence((1, 2, 3, 4))])[0].ravel().tolist() == [2, 4, 6, 8]


def test_a_model_with_an_input_that_no_encoder_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="input 'pixel_values'"):
        Encoder(save_echo(tmp_path, "input_ids", "pixel_values"), "CPU", CompileOptions(), SHAPES)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("nothing")
    with pytest.raises(LoadError, match=r"cannot read 'model\.onnx'"):
        Encoder(tmp_path, "CPU", CompileOptions(), SHAPES)


def test_a_property_that_the_device_does_not_know_is_named(tmp_path: Path) -> None:
    options = CompileOptions(plugin_config={"NO_SUCH_PROPERTY": "1"})
    with pytest.raises(LoadError, match=r"NO_SUCH_PROPERTY.*options\.plugin_config"):
        Encoder(save_echo(tmp_path, "input_ids"), "CPU", options, SHAPES)
