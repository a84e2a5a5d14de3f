"""Options, detection and what stays out of the server process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ovms_core.model_files import ModelFiles
from ovms_imagegen.engine.model_folder import options_of
from ovms_imagegen.options import ImageOptions
from ovms_imagegen.task import detect


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"default_size": "big"}, "default_size"),
        ({"sizes": ["64x64"], "max_size": "128x128"}, "not both"),
        ({"sizes": ["64x64"], "default_size": "128x128"}, "not among sizes: 64x64"),
        ({"sizes": []}, "sizes"),
        ({"scheduler": "KARRAS"}, "scheduler"),
        ({"lora": [{"alias": "ink"}]}, "needs either 'path' or 'parts'"),
        ({"lora": [{"alias": "ink", "path": "a", "parts": {"b": 1}}]}, "needs either 'path' or 'parts'"),
        ({"lora": [{"alias": "ink", "path": "a"}, {"alias": "ink", "path": "b"}]}, "used twice"),
        ({"lora": [{"alias": "both", "parts": {"ink": 1}}]}, "'ink' is not the alias of an adapter"),
        ({"default_response_format": "url"}, "needs url_folder"),
        ({"unsupported_size": "largest"}, "unsupported_size"),
        ({"step": 3}, "step"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ImageOptions.model_validate(options)


def test_the_starter_model_is_detected(shapes: Path) -> None:
    assert detect(ModelFiles.at(shapes)) == 90


def test_the_starter_model_draws_as_its_card_says(shapes: Path) -> None:
    own = options_of(shapes, {})
    assert (own.default_steps, own.default_guidance_scale, own.max_size) == (20, 3.5, "256x256")
    assert own.unsupported_size == "nearest"  # every client's first call asks for 1024x1024


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", ["StableDiffusionPipeline"], None, 1e400])
def test_weights_in_another_format_are_not_detected(tmp_path: Path, name: Any) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": name}))
    assert detect(ModelFiles.at(tmp_path)) == 0


def test_the_server_process_imports_nothing_heavy() -> None:
    program = """
import sys
import ovms_imagegen.hooks, ovms_imagegen.task, ovms_imagegen.http.endpoints, ovms_imagegen.command.image
print([name for name in ("openvino", "openvino_genai", "numpy", "PIL") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
