"""The small files of a model, in the forms that they are saved in: what they say, and what GenAI is shown of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openvino_genai as genai
import pytest

from ovms_core.engine import LoadError
from ovms_llm.model.context import context_length
from ovms_llm.model.defaults import sampling_defaults
from ovms_llm.model.genai_files import mended
from ovms_llm.model.model_files import read_files

TOKEN = {"__type": "AddedToken", "content": "</s>", "lstrip": False, "normalized": False}
BOM = "\ufeff"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, name: str, content: Any) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    data = (
        content
        if isinstance(content, bytes)
        else (content if isinstance(content, str) else json.dumps(content)).encode()
    )
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", {"eos_token": "</s>"}),
        ("tokenizer_config.json", {"eos_token": TOKEN, "pad_token": None, "additional_special_tokens": [TOKEN, "<x>"]}),
        ("tokenizer_config.json", {"eos_token": TOKEN, "extra_special_tokens": {"image_token": "<image>"}}),
        ("special_tokens_map.json", {"eos_token": TOKEN, "additional_special_tokens": [TOKEN]}),
        ("special_tokens_map.json", {"eos_token": "</s>"}),
        ("tokenizer_config.json", BOM + '{"eos_token":\r\n"</s>"}\r\n'),
        ("tokenizer_config.json", '{"eos_token": "</s>", "model_max_length": Infinity}'),
    ],
)
def test_special_tokens_are_read_in_every_form(name: str, content: Any, folder: Path) -> None:
    write(folder, name, content)
    assert read_files(folder).special_tokens == {"eos_token": "</s>"}


@pytest.mark.parametrize(
    ("files", "templates"),
    [
        ({"tokenizer_config.json": {"chat_template": "a"}}, {"default": "a"}),
        ({"tokenizer_config.json": {"chat_template": None}}, {}),
        (
            {
                "tokenizer_config.json": {
                    "chat_template": [{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]
                }
            },
            {"default": "a", "rag": "b"},
        ),
        ({"tokenizer_config.json": {"chat_template": {"default": "a", "rag": "b"}}}, {"default": "a", "rag": "b"}),
        ({"chat_template.json": {"chat_template": "a"}}, {"default": "a"}),
        ({"processor_config.json": {"chat_template": "a"}}, {"default": "a"}),
        ({"chat_template.jinja": BOM + "a\r\nb"}, {"default": "a\nb"}),
        (
            {
                "tokenizer_config.json": {"chat_template": "old"},
                "chat_template.jinja": "a",
                "additional_chat_templates/tool_use.jinja": "b",
            },
            {"default": "a", "tool_use": "b"},
        ),
    ],
)
def test_chat_templates_are_found_wherever_they_are_kept(
    files: dict[str, Any], templates: dict[str, str], folder: Path
) -> None:
    for name, content in files.items():
        write(folder, name, content)
    assert read_files(folder).templates == templates


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"n_positions": 1024.0}, 1024),
        ({"text_config": {"max_position_embeddings": 8192}, "vision_config": {"max_position_embeddings": 77}}, 8192),
        ({"text_config": {}, "max_position_embeddings": 2048}, 2048),
        ({"max_position_embeddings": 4096, "rope_scaling": None}, 4096),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2}}, 8192),
        ({"max_position_embeddings": 4096, "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}, 16384),
        ({"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 131072),
        (
            {
                "max_position_embeddings": 32768,
                "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 163840,
                "rope_scaling": {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096},
            },
            163840,
        ),
        ({"max_position_embeddings": 4096, "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}, 4096),
        ({"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "linear", "factor": 2.0}}, 8192),
        (
            {
                "model_type": "gemma3_text",
                "max_position_embeddings": 131072,
                "rope_parameters": {
                    "sliding_attention": {"rope_type": "default"},
                    "full_attention": {"rope_type": "linear", "factor": 8.0},
                },
            },
            131072,
        ),
        ({"max_position_embeddings": 0}, None),
        ({}, None),
    ],
)
def test_the_context_is_as_long_as_the_positions_that_were_trained(
    config: dict[str, Any], length: int | None, folder: Path
) -> None:
    write(folder, "config.json", config)
    assert context_length(read_files(folder)) == length


def test_the_tokenizer_tells_the_context_where_nothing_else_does(folder: Path) -> None:
    write(folder, "tokenizer_config.json", {"model_max_length": 1000000000000000019884624838656})
    assert context_length(read_files(folder)) is None
    write(folder, "tokenizer_config.json", {"model_max_length": 2048})
    assert context_length(read_files(folder)) == 2048


def test_sampling_that_no_request_could_have_is_left_out_with_a_warning(folder: Path) -> None:
    content = '{"temperature": NaN, "top_p": 0, "top_k": 50.0, "min_p": null, "repetition_penalty": 1.1, "foo": [1]}'
    write(folder, "generation_config.json", content)
    defaults, warnings = sampling_defaults(read_files(folder).generation)
    assert defaults == {"top_k": 50, "repetition_penalty": 1.1}
    assert [warning.split(",")[0] for warning in warnings] == [
        "'generation_config.json' has temperature nan",
        "'generation_config.json' has top_p 0.0",
    ]


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("config.json", {"eos_token_id": "2"}, "$.eos_token_id"),
        ("config.json", {"text_config": {"max_position_embeddings": "4k"}}, "$.text_config.max_position_embeddings"),
        ("config.json", {"rope_scaling": {"type": "linear", "factor": "2"}, "n_positions": 1}, "$.factor"),
        ("generation_config.json", {"temperature": "0.6"}, "$.temperature"),
        ("generation_config.json", {"eos_token_id": [2, None]}, "$.eos_token_id[1]"),
        ("tokenizer_config.json", {"eos_token": 2}, "$.eos_token"),
        ("tokenizer_config.json", {"eos_token": {"content": 2}}, "$.eos_token.content"),
        ("tokenizer_config.json", {"chat_template": [{"name": 1}]}, "$.chat_template[0].name"),
        ("special_tokens_map.json", {"pad_token": []}, "$.pad_token"),
        ("chat_template.json", {"chat_template": 1}, "$.chat_template"),
        ("processor_config.json", "{", "not JSON"),
        ("chat_template.jinja", b"\xff", "is not UTF-8"),
    ],
)
def test_a_file_that_is_malformed_is_named_with_the_key(name: str, content: Any, where: str, folder: Path) -> None:
    write(folder, name, content)
    with pytest.raises(LoadError) as refused:
        context_length(read_files(folder))
    assert f"'{name}' of the model" in str(refused.value)
    assert where in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        ("tokenizer_config.json", {"eos_token": TOKEN, "x": 1}, {"eos_token": "</s>", "x": 1}),
        ("tokenizer_config.json", '{"eos_token": "</s>", "x": NaN}', {"eos_token": "</s>", "x": None}),
        ("tokenizer_config.json", '{"x": 1}'.encode("utf-16"), {"x": 1}),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"2": {"content": "</s>"}, "x": {}}},
            {"added_tokens_decoder": {"2": {"content": "</s>"}}},
        ),
        ("config.json", {"pad_token_id": "0", "eos_token_id": [1, 2]}, {"eos_token_id": [1, 2]}),
        ("config.json", '{"x": [Infinity]}', {"x": [None]}),
        ("special_tokens_map.json", BOM + "{}", {}),
        ("generation_config.json", {"max_length": "20"}, None),
        ("generation_config.json", '{"temperature": NaN}', None),
    ],
)
def test_genai_is_shown_what_it_takes(name: str, content: Any, shown: Any, folder: Path) -> None:
    write(folder, name, content)
    contents = mended(folder)
    assert set(contents) == {name}
    text = contents[name]
    assert (None if text is None else json.loads(text)) == shown


def test_files_that_genai_takes_stay_as_they_are(folder: Path) -> None:
    write(folder, "config.json", {"eos_token_id": [1, 2], "pad_token_id": None, "rope_scaling": {"factor": 2.0}})
    write(
        folder, "tokenizer_config.json", {"eos_token": "</s>", "additional_special_tokens": [TOKEN], "bos_token": None}
    )
    write(folder, "special_tokens_map.json", {"eos_token": TOKEN})
    write(folder, "generation_config.json", {"eos_token_id": [1, 2], "top_k": None, "unknown": {"x": [1]}})
    write(folder, "chat_template.jinja", BOM + "a\r\n")
    assert mended(folder) == {}
    assert genai.GenerationConfig(folder / "generation_config.json").stop_token_ids == {1, 2}
