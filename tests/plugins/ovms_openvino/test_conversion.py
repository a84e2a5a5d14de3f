"""OpenVINO tokenizers out of Hugging Face files."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import openvino_genai as genai
import pytest

from ovms_core.errors import LoadError
from ovms_openvino.conversion import convert_tokenizers, missing_tokenizers
from ovms_openvino.derived import prepared

TOKENIZER = Path(str(files("ovms_starter"))) / "models/shapes/tokenizer"
NAMES = ["openvino_detokenizer.bin", "openvino_detokenizer.xml", "openvino_tokenizer.bin", "openvino_tokenizer.xml"]


@pytest.fixture
def hugging_face(tmp_path: Path) -> Path:
    """A folder with the tokenizer as transformers saves it."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(TOKENIZER / name, folder / name)
    return folder


def test_a_converted_tokenizer_is_the_models_own(hugging_face: Path, tmp_path: Path) -> None:
    assert missing_tokenizers(hugging_face) == ["openvino_tokenizer.xml", "openvino_detokenizer.xml"]
    folder = prepared(hugging_face, tmp_path / "prepared", {}, lambda into: convert_tokenizers(hugging_face, into))
    assert missing_tokenizers(folder) == []
    assert not any((hugging_face / name).exists() for name in NAMES)
    ours, theirs = genai.Tokenizer(str(folder)), genai.Tokenizer(str(TOKENIZER))
    for text in ("a large red square", "word " * 5000):
        ids, expected = (each.encode(text).input_ids.data[0].tolist() for each in (ours, theirs))
        assert ids == expected
        assert ours.decode(ids) == theirs.decode(expected)


def test_a_tokenizer_that_is_there_stays_and_its_detokenizer_is_made(hugging_face: Path) -> None:
    for name in ("openvino_tokenizer.xml", "openvino_tokenizer.bin", "openvino_detokenizer.xml"):
        (hugging_face / name).write_text("the model's")
    assert missing_tokenizers(hugging_face) == ["openvino_detokenizer.xml"]
    convert_tokenizers(hugging_face, hugging_face)
    assert (hugging_face / "openvino_tokenizer.xml").read_text() == "the model's"
    assert (hugging_face / "openvino_detokenizer.xml").read_text() != "the model's"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no Hugging Face files of a tokenizer"),
        ("{", "'tokenizer.json' they cannot be made"),
        ("{}", "Model missing"),
    ],
)
def test_what_cannot_be_converted_says_which_command_does_it(
    content: str | None, reason: str, hugging_face: Path
) -> None:
    (hugging_face / "tokenizer.json").unlink()
    if content is not None:
        (hugging_face / "tokenizer.json").write_text(content)
    with pytest.raises(LoadError) as refused:
        convert_tokenizers(hugging_face, hugging_face)
    message = str(refused.value)
    assert reason in message
    assert "no openvino_tokenizer.xml and no openvino_detokenizer.xml" in message
    assert "convert_tokenizer ORIGINAL_MODEL --with-detokenizer -o FOLDER'" in message
    assert "optimum-cli export openvino" in message
    assert "\n" not in message
    assert str(hugging_face) not in message
    with pytest.raises(
        LoadError, match=r"tokenizer_2/openvino_tokenizer\.xml.*--subfolder tokenizer_2 .*FOLDER/tokenizer_2"
    ):
        convert_tokenizers(hugging_face, hugging_face, "tokenizer_2")


def test_no_code_of_the_model_runs(hugging_face: Path) -> None:
    (hugging_face / "tokenizer.json").unlink()
    (hugging_face / "tokenizer.model").touch()
    (hugging_face / "own.py").write_text("raise SystemExit('it ran')")
    config = '{"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", null]}}'
    (hugging_face / "tokenizer_config.json").write_text(config)
    with pytest.raises(LoadError, match=r"'tokenizer_config\.json' they cannot be made"):
        convert_tokenizers(hugging_face, hugging_face)
