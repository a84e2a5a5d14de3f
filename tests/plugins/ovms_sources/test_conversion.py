from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.plugins.ovms_sources.fake_hub import FakeHub

from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository
from ovms_core.plugin import SourceError
from ovms_sources import HubSource

PYTORCH = {"config.json": b"{}", "model.safetensors": b"weights"}
CONVERTER = """#!{python}
import pathlib, sys
assert sys.argv[1:5] == ["export", "openvino", "--model", "org/model"], sys.argv
output = pathlib.Path(sys.argv[5])
output.mkdir(parents=True)
(output / "openvino_model.xml").write_text("<net/>")
(output / "openvino_model.bin").write_bytes(b"1")
"""
FAILING = """#!{python}
import sys
sys.exit("ValueError: Trying to export a foo model, that is a custom or unsupported architecture")
"""


def fetch(repository: Repository, name: str = "org/model") -> Path:
    return repository.fetch(HubSource(), Reference("hf", name), offline=False, progress=lambda *_: None)


def install(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an optimum-cli of our own on PATH."""
    command = tmp_path / "bin/optimum-cli"
    command.parent.mkdir()
    command.write_text(script.format(python=sys.executable))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent))


def test_without_the_converter_the_error_gives_the_commands(
    hub: FakeHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["org/model"] = PYTORCH
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError) as caught:
        fetch(repository)
    assert 'pip install "ovms-sources[export]"' in str(caught.value)
    assert "ovms pull hf:org/model" in str(caught.value)
    assert hub.served == {}, "weights that cannot be used are not fetched"


def test_pytorch_weights_are_converted(
    hub: FakeHub, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["org/model"] = PYTORCH
    install(CONVERTER, tmp_path, monkeypatch)
    path = fetch(repository)
    assert sorted(file.name for file in path.iterdir()) == ["openvino_model.bin", "openvino_model.xml"]


def test_what_sentence_transformers_says_of_a_model_is_fetched_beside_its_conversion(
    hub: FakeHub, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "modules.json": b"[]",
        "1_Pooling/config.json": b'{"pooling_mode": "cls"}',
        "sentence_bert_config.json": b'{"max_seq_length": 256}',
        "0_Transformer/sentence_xlm-roberta_config.json": b"{}",
        "config_sentence_transformers.json": b'{"prompts": {}}',
    }
    weights = {"2_Dense/model.safetensors": b"weights", "onnx/config.json": b"{}"}
    hub.models["org/model"] = PYTORCH | settings | weights
    install(CONVERTER, tmp_path, monkeypatch)
    path = fetch(repository)
    found = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert found == settings | {"openvino_model.bin": b"1", "openvino_model.xml": b"<net/>"}


def test_what_the_converter_wrote_itself_stays(
    hub: FakeHub, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["org/model"] = PYTORCH | {"modules.json": b"[]", "1_Pooling/config.json": b"{}"}
    install(CONVERTER + '(output / "modules.json").write_text("the converter\'s")\n', tmp_path, monkeypatch)
    path = fetch(repository)
    assert (path / "modules.json").read_text() == "the converter's"
    assert (path / "1_Pooling/config.json").read_bytes() == b"{}"


def test_a_conversion_that_fails_says_what_the_converter_said(
    hub: FakeHub, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["org/model"] = PYTORCH
    install(FAILING, tmp_path, monkeypatch)
    with pytest.raises(SourceError, match=r"--model org/model OUTPUT: exit status 1.*foo model"):
        fetch(repository)
    assert repository.list() == []


def test_a_revision_of_pytorch_weights_is_not_converted_silently_as_another(
    hub: FakeHub, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["org/model"] = PYTORCH
    install(CONVERTER, tmp_path, monkeypatch)
    with pytest.raises(SourceError, match="only the newest revision can be converted"):
        fetch(repository, f"org/model@{hub.sha('org/model')}")
