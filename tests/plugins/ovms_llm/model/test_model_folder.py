"""Models as people have them: their folder is made ready for GenAI where that is needed, and only then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.ovms_llm.conftest import generate, run
from tests.plugins.ovms_llm.hugging_face import write_json, write_tokenizer
from tests.plugins.ovms_llm.tiny import CHATML, write_gguf

from ovms_core.engine import LoadError, ModelSpec
from ovms_core.model_files import ModelFiles
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.messages import Chat, Tokenize, Tokenized
from ovms_llm.model.gguf import converted
from ovms_llm.model.model_folder import ModelFolder, open_model
from ovms_llm.task import detect

pytestmark = pytest.mark.real

CHAT = Chat([{"role": "user", "content": "Hi"}])
OBJECT = {"__type": "AddedToken", "content": "<|im_end|>", "lstrip": False}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of OpenVINO IR with its Hugging Face files, in their odd forms, and without an OpenVINO tokenizer."""
    folder = tmp_path_factory.mktemp("exported")
    ir = converted(write_gguf(folder / "tiny.gguf"), folder / "work")
    write_tokenizer(folder / "tiny.gguf", folder)
    (folder / "tokenizer.json").write_bytes(b"\xef\xbb\xbf" + (folder / "tokenizer.json").read_bytes())
    for name in ("openvino_model.xml", "openvino_model.bin"):
        (ir / name).rename(folder / name)
    shutil.rmtree(folder / "work")
    (folder / "tiny.gguf").unlink()
    write_json(folder / "config.json", {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 512})
    (folder / "generation_config.json").write_bytes(b'\xef\xbb\xbf{"eos_token_id": 0,\r\n"temperature": NaN}')
    config = {
        "eos_token": OBJECT,
        "bos_token": {"content": "<|im_start|>"},
        "additional_special_tokens": [OBJECT],
        "chat_template": [{"name": "default", "template": CHATML}, {"name": "loud", "template": "{{ bos_token }}LOUD"}],
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write_json(folder / "tokenizer_config.json", config)
    return folder


def spec(path: Path, work_dir: Path, **options: Any) -> ModelSpec:
    options = {"cache_size": 0.01, "deterministic": True} | options
    return ModelSpec(
        name="m", task="text_generation", path=str(path), work_dir=str(work_dir), device="CPU", options=options
    )


def opened(path: Path, tmp_path: Path) -> ModelFolder:
    return open_model(spec(path, tmp_path / "work"))


@pytest.fixture(scope="module")
def whole(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as GenAI takes it: nothing needs to be made ready."""
    prepared = open_model(spec(exported, tmp_path_factory.mktemp("work"))).path
    folder = tmp_path_factory.mktemp("models") / "whole"
    shutil.copytree(prepared, folder, ignore=shutil.ignore_patterns("derived.json"))
    return folder


def test_what_transformers_loads_is_loaded_and_answers(exported: Path, tmp_path: Path) -> None:
    before = sorted(file.name for file in exported.iterdir())
    assert detect(ModelFiles.at(exported)) == 100
    engine = TextGeneration(spec(exported, tmp_path))
    assert engine.info().details["end_tokens"] == {"<|endoftext|>": 0, "<|im_end|>": 2}
    assert engine.info().max_model_len == 512
    loud = Chat(CHAT.messages, template="loud")
    plain, named = run(engine, generate(CHAT, max_tokens=5), generate(loud, max_tokens=5))
    assert len(plain.tokens()) == len(named.tokens()) == 5
    assert engine.info().warnings == [
        "'generation_config.json' has temperature nan, which is out of range: it is left out"
    ]
    assert sorted(file.name for file in exported.iterdir()) == before


def test_a_folder_that_genai_takes_is_used_as_it_is(whole: Path, tmp_path: Path) -> None:
    assert opened(whole, tmp_path).path == whole
    assert not (tmp_path / "work").exists()


def test_a_folder_is_made_ready_once(exported: Path, tmp_path: Path) -> None:
    stamps = [(opened(exported, tmp_path).path / "openvino_tokenizer.xml").stat().st_mtime_ns for _ in range(2)]
    assert stamps[0] == stamps[1]
    assert (tmp_path / "work/prepared/openvino_model.bin").samefile(exported / "openvino_model.bin")


def test_a_folder_without_any_tokenizer_says_which_command_makes_one(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*tokenizer*"))
    with pytest.raises(LoadError, match=r"no openvino_tokenizer\.xml.*convert_tokenizer .*--with-detokenizer"):
        opened(folder, tmp_path)
    assert detect(ModelFiles.at(folder)) == 100


@pytest.mark.parametrize(
    "name", ["openvino_model.bin", "openvino_model.xml", "openvino_tokenizer.xml", "openvino_detokenizer.bin"]
)
def test_a_broken_model_is_an_error_without_paths_of_the_machine_it_was_built_on(
    name: str, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:1000])
    with pytest.raises(LoadError) as refused:
        TextGeneration(spec(folder, tmp_path / "work"))
    message = str(refused.value)
    assert name.replace(".bin", ".xml") in message
    assert "xport it anew" in message or "convert_tokenizer ORIGINAL_MODEL" in message
    assert "failed at" not in message
    assert ".cpp" not in message


@pytest.mark.parametrize("suffix", ["gguf", "GGUF"])
def test_a_model_in_shards_is_one_model(suffix: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shards = write_gguf(folder / f"tiny.{suffix}", shards=2)
    (folder / "mmproj-tiny.gguf").write_bytes(b"no model")
    assert detect(ModelFiles.at(folder)) == detect(ModelFiles.at(shards[0])) == 80
    engines = [TextGeneration(spec(path, tmp_path / path.name)) for path in (folder, shards[0])]
    write_gguf(tmp_path / "one/tiny.gguf")
    engines.append(TextGeneration(spec(tmp_path / "one", tmp_path / "work")))
    first, *others = [run(engine, generate(CHAT, max_tokens=8))[0].tokens() for engine in engines]
    assert others == [first, first]
    asked = [Tokenize(prompt=chat, with_texts=True) for chat in (CHAT, Chat(CHAT.messages, template="loud"))]
    answers = [outcome.gains[0] for outcome in run(engines[0], *asked)]
    texts = ["".join(answer.texts or []) for answer in answers if isinstance(answer, Tokenized)]
    assert texts == ["<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "LOUD"]


def test_every_shard_counts_whether_a_conversion_is_current(tmp_path: Path) -> None:
    shards = write_gguf(tmp_path / "model/tiny.gguf", shards=2)

    def write(source: Path) -> None:
        (source.parent / "openvino_model.xml").write_text(str(len(made)))
        made.append(source)

    made: list[Path] = []
    for _ in range(2):
        converted(shards, tmp_path / "work", write)
    assert len(made) == 1
    with shards[1].open("ab") as file:
        file.write(b"\0")
    converted(shards, tmp_path / "work", write)
    assert len(made) == 2


def test_a_shard_that_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    shards = write_gguf(tmp_path / "model/tiny.gguf", shards=2)
    shards[1].write_bytes(shards[1].read_bytes()[:60])
    with pytest.raises(LoadError, match=r"tiny-00002-of-00002\.gguf is not a complete GGUF file"):
        opened(shards[0].parent, tmp_path)
    shards[1].unlink()
    for path in (shards[0].parent, shards[0]):
        with pytest.raises(LoadError, match=r"'tiny-00002-of-00002\.gguf', a shard of the model, is missing"):
            opened(path, tmp_path)


def test_several_models_in_a_folder_are_named_and_a_projector_is_none(tmp_path: Path) -> None:
    for name in ("a.gguf", "b-00001-of-00002.gguf", "b-00002-of-00002.gguf", "mmproj.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(LoadError, match=r"several GGUF files \(a\.gguf, b-00001-of-00002\.gguf\)"):
        opened(tmp_path, tmp_path)


def test_small_files_beside_a_gguf_are_heeded_and_those_of_other_models_are_not(tmp_path: Path) -> None:
    [file] = write_gguf(tmp_path / "model/tiny.gguf")
    (file.parent / "chat_template.jinja").write_text("hello")
    (file.parent / "generation_config.json").write_text('{"max_new_tokens": 7}')
    read = opened(file, tmp_path)
    own = {"loud": "LOUD"}
    assert (read.templates, read.answer_tokens, read.max_model_len) == (own | {"default": "hello"}, 7, 512)
    shutil.copyfile(file, file.with_name("other.gguf"))
    read = opened(file, tmp_path)
    assert (read.templates, read.answer_tokens) == (own, None)


def test_the_operators_template_replaces_the_models(whole: Path, tmp_path: Path) -> None:
    (whole / "mine.jinja").write_text("{% for m in messages %}{{ m.content }}<|eom|>{% endfor %}")
    engine = TextGeneration(spec(whole, tmp_path, chat_template="mine.jinja"))
    assert "<|eom|>" in engine.info().details["end_tokens"]
    with pytest.raises(LoadError, match=r"options\.chat_template is not valid Jinja: line 1"):
        TextGeneration(spec(whole, tmp_path, chat_template="{% for %}"))
    json.loads((whole / "tokenizer_config.json").read_text())
