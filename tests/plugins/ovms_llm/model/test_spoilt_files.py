"""Small files spoilt in two hundred ways: the model works, or the error names the file, and the key where it is one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.mutations import Mutation, linked_copy, mutations
from tests.plugins.ovms_llm.conftest import generate, run
from tests.plugins.ovms_llm.hugging_face import write_json
from tests.plugins.ovms_llm.tiny import CHATML, write_gguf

from ovms_core.engine import LoadError, ModelSpec
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.model.gguf import converted
from ovms_llm.model.model_folder import open_model

OBJECT = {"__type": "AddedToken", "content": "<|im_end|>", "lstrip": False}
FILES = {
    "config.json": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "eos_token_id": 2,
        "pad_token_id": 0,
        "rope_scaling": {"rope_type": "linear", "factor": 1.0},
        "text_config": {"max_position_embeddings": 512, "eos_token_id": [2]},
    },
    "generation_config.json": {
        "eos_token_id": [0, 2],
        "temperature": 0.6,
        "top_k": 50,
        "max_new_tokens": 20,
        "do_sample": True,
        "stop_strings": ["x"],
    },
    "tokenizer_config.json": {
        "eos_token": OBJECT,
        "bos_token": "<|im_start|>",
        "chat_template": [{"name": "default", "template": CHATML}],
        "model_max_length": 512,
        "added_tokens_decoder": {"2": {"content": "<|im_end|>", "special": True}},
    },
    "special_tokens_map.json": {"eos_token": OBJECT, "bos_token": "<|im_start|>"},
}
LOADED = (2, 6, 12, 61, 104, 118, 146, 174, 185, 197)
"""Those that are loaded for real, which takes half a second each: files that are read, and that GenAI would refuse."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with all the small files that there are."""
    folder = tmp_path_factory.mktemp("spoilt")
    ir = converted(write_gguf(folder / "tiny.gguf"), folder / "work")
    model = folder / "model"
    shutil.copytree(ir, model, ignore=shutil.ignore_patterns("*.json"))
    for name, document in FILES.items():
        write_json(model / name, document)
    return model


def spoilt(mutation: Mutation, folder: Path, into: Path) -> ModelSpec:
    path = linked_copy(folder, into / "model")
    mutation.apply(path)
    return ModelSpec(
        name="m",
        task="text_generation",
        path=str(path),
        work_dir=str(into / "work"),
        device="CPU",
        options={"cache_size": 0.01},
    )


def complaint_about(load: Callable[[], object], mutation: Mutation) -> str | None:
    """What is wrong with what happens, if anything."""
    try:
        load()
    except LoadError as error:
        named = f"'{mutation.file}' of the model" in str(error)
        keyed = not mutation.what.startswith("$") or re.search(r"at `\$|half a surrogate pair", str(error))
        return None if named and keyed else f"{mutation}: {error}"
    except Exception as error:
        return f"{mutation}: {type(error).__name__}: {error}"
    return None


def test_a_spoilt_file_is_read_or_named(folder: Path, tmp_path: Path) -> None:
    complaints = []
    for mutation in mutations(folder, list(FILES)):
        model = spoilt(mutation, folder, tmp_path / str(mutation.number))
        complaints.append(complaint_about(partial(open_model, model), mutation))
    assert len(complaints) == 200
    assert [each for each in complaints if each] == []


@pytest.mark.real
@pytest.mark.parametrize("number", LOADED)
def test_a_model_with_a_spoilt_file_answers_or_names_it(number: int, folder: Path, tmp_path: Path) -> None:
    [mutation] = [each for each in mutations(folder, list(FILES), number + 1) if each.number == number]
    model = spoilt(mutation, folder, tmp_path)

    def load() -> None:
        [outcome] = run(TextGeneration(model), generate("Hi", max_tokens=2, ignore_eos=True))
        assert len(outcome.tokens()) == 2

    assert complaint_about(load, mutation) is None
