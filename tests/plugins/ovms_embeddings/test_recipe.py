"""What a model's files say about pooling, normalisation, lengths and prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ovms_core.engine import LoadError
from ovms_embeddings.engine.recipe import Recipe, read_recipe
from ovms_embeddings.options import EmbeddingsOptions

TRANSFORMER = {"path": "", "type": "sentence_transformers.models.Transformer"}
POOLING = {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
NORMALIZE = {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, name: str, document: Any) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(document))


def read(folder: Path, **options: Any) -> Recipe:
    return read_recipe(folder, EmbeddingsOptions(**options))


@pytest.mark.parametrize(
    ("config", "poolings"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ("cls",)),
        ({"pooling_mode_mean_tokens": True}, ("mean",)),
        ({"pooling_mode_max_tokens": True}, ("max",)),
        ({"pooling_mode_lasttoken": True}, ("last",)),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, ("mean_sqrt_len_tokens",)),
        ({"pooling_mode_weightedmean_tokens": True}, ("weightedmean",)),
        ({"pooling_mode_lasttoken": True, "pooling_mode_cls_token": True}, ("cls", "last")),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": None}, ("mean",)),
        ({"pooling_mode": "lasttoken"}, ("last",)),
        ({"pooling_mode": "cls", "pooling_mode_mean_tokens": True}, ("cls",)),
        ({"pooling_mode": ["mean", "max"]}, ("mean", "max")),
    ],
)
def test_pooling_is_read_from_the_folder_that_the_modules_name(
    folder: Path, config: dict[str, Any], poolings: tuple[str, ...]
) -> None:
    write(folder, "modules.json", [TRANSFORMER, POOLING | {"path": "7_Pool"}])
    write(folder, "7_Pool/config.json", config)
    assert read(folder).poolings == poolings


def test_a_pooling_module_without_a_folder_is_read_beside_the_modules(folder: Path) -> None:
    write(folder, "modules.json", [TRANSFORMER, {"type": "sentence_transformers.models.Pooling"}])
    write(folder, "config.json", {"pooling_mode_cls_token": True})
    assert read(folder).poolings == ("cls",)


@pytest.mark.parametrize("config", [{"pooling_mode_attention": True}, {"pooling_mode": ["mean", "attention"]}])
def test_a_pooling_that_is_not_known_is_refused_unless_one_is_set(folder: Path, config: dict[str, Any]) -> None:
    write(folder, "1_Pooling/config.json", config)
    with pytest.raises(LoadError, match=r"'1_Pooling/config\.json' .*attention', which .*options\.pooling"):
        read(folder)
    assert read(folder, pooling="mean").poolings == ("mean",)


CARD = "---\nlicense: mit\nbase_model:\n- {}\ntags: [{}]\n---\n# A model\n"


@pytest.mark.parametrize(
    ("files", "pooling", "reason"),
    [
        ({"config.json": {"architectures": ["BertModel"]}}, "mean", "as encoders do"),
        ({"config.json": {"architectures": ["Qwen3ForCausalLM"]}}, "last", "as decoders do"),
        ({"config.json": {"architectures": ["NewModel"]}}, "cls", "as models of its architecture do"),
        ({"config_sentence_transformers.json": {}}, "mean", "as sentence-transformers does"),
        ({"README.md": CARD.format("someone/unheard-of", "sentence-transformers")}, "mean", "as sentence-transformers"),
        ({"config.json": {"_name_or_path": "BAAI/bge-small-en-v1.5"}}, "cls", "family 'bge'"),
        ({"config.json": {"_name_or_path": "/tmp/multilingual-e5-small"}}, "mean", "family 'e5'"),
        ({"config.json": {"_name_or_path": "intfloat/e5-mistral-7b-instruct"}}, "last", "family 'e5-mistral'"),
        ({"README.md": CARD.format("Alibaba-NLP/gte-base-en-v1.5", "x")}, "cls", "family 'gte-base-en-v1.5'"),
        ({"README.md": CARD.format("thenlper/gte-base", "x")}, "mean", "family 'gte'"),
        ({"README.md": "---\nbase_model: Qwen/Qwen3-Embedding-0.6B\n---"}, "last", "family 'qwen3-embedding'"),
        ({"README.md": "no front matter: bge-small"}, "mean", "as encoders do"),
    ],
)
def test_a_model_that_does_not_say_pools_as_its_family_or_its_architecture_does_and_says_so(
    folder: Path, files: dict[str, Any], pooling: str, reason: str
) -> None:
    for name, document in files.items():
        (folder / name).write_text(document if isinstance(document, str) else json.dumps(document))
    recipe = read(folder)
    assert (recipe.poolings, recipe.normalize) == ((pooling,), True)
    assert f"'{pooling}' was taken, " in (recipe.assumed or "")
    assert reason in (recipe.assumed or "")
    assert "normalise" in recipe.warnings[0]
    assert read(folder, pooling="max").assumed is None


def test_a_pooling_module_whose_folder_is_not_there_does_not_say(folder: Path) -> None:
    write(folder, "modules.json", [TRANSFORMER, POOLING])
    assert "'mean' was taken" in (read(folder).assumed or "")


def test_a_family_may_be_told_by_the_models_folder_and_a_card_may_be_no_text(folder: Path) -> None:
    named = folder / "BAAI--bge-m3"
    named.mkdir()
    (named / "README.md").write_bytes(b"---\xff\nbase_model: \xfe")
    assert read(named).poolings == ("cls",)


def test_vectors_are_normalised_when_the_modules_do(folder: Path) -> None:
    write(folder, "modules.json", [TRANSFORMER, POOLING])
    assert read(folder).normalize is False
    write(folder, "modules.json", [TRANSFORMER, POOLING, NORMALIZE])
    assert read(folder).normalize is True
    assert read(folder, normalize=False).normalize is False


@pytest.mark.parametrize(
    ("files", "length"),
    [
        *(
            ({f"sentence_{family}_config.json": {"max_seq_length": 77}}, 77)
            for family in ("roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
        ),
        (
            {
                "sentence_bert_config.json": {"max_seq_length": 99},
                "sentence_roberta_config.json": {"max_seq_length": 9},
            },
            99,
        ),
        ({"sentence_bert_config.json": {}, "sentence_roberta_config.json": {"max_seq_length": 88}}, 88),
        ({"sentence_bert_config.json": {"max_seq_length": 99, "tokenizer_args": {"model_max_length": 98}}}, 98),
        ({"sentence_bert_config.json": {"processor_kwargs": {"model_max_length": 10**30}}}, 512),
        ({"sentence_bert_config.json": {"processing_kwargs": {"text": {"max_length": 97}}}}, 97),
        ({"sentence_bert_config.json": {"max_seq_length": 256}}, 256),
        (
            {"sentence_bert_config.json": {"max_seq_length": None}, "tokenizer_config.json": {"model_max_length": 128}},
            128,
        ),
        ({"tokenizer_config.json": {"model_max_length": 1e30}, "config.json": {"max_position_embeddings": 77}}, 77),
        ({"tokenizer_config.json": {"model_max_length": 9000}, "config.json": {"max_position_embeddings": 77}}, 77),
        ({"config.json": {"max_position_embeddings": 514, "model_type": "xlm-roberta", "pad_token_id": 1}}, 512),
        ({}, 512),
    ],
)
def test_the_maximum_length_is_the_models_own(folder: Path, files: dict[str, Any], length: int) -> None:
    for name, document in files.items():
        write(folder, name, document)
    assert read(folder).max_length == length


def test_the_maximum_length_can_be_set_up_to_the_positions_that_there_are(folder: Path) -> None:
    write(folder, "config.json", {"max_position_embeddings": 512})
    assert read(folder, max_length=100).max_length == 100
    with pytest.raises(LoadError, match=r"max_length is 513.*512 positions"):
        read(folder, max_length=513)


def test_prompts_are_read(folder: Path) -> None:
    prompts = {"query": "Query: ", "document": ""}
    write(folder, "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": "query"})
    recipe = read(folder)
    assert (recipe.prompts, recipe.default_prompt) == (prompts, "query")


def test_modules_that_are_not_known_are_remembered(folder: Path) -> None:
    dense = {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    write(folder, "modules.json", [TRANSFORMER, POOLING, dense, NORMALIZE])
    assert [(step.kind, step.path) for step in read(folder).steps] == [("Dense", "2_Dense")]


@pytest.mark.parametrize(
    ("kinds", "steps", "normalize"),
    [
        (["Dropout", "Normalize", "Dropout"], [], True),
        (["Dense", "Normalize"], ["Dense"], True),
        (["Normalize", "Dense"], ["Normalize", "Dense"], False),
        (["LayerNorm"], ["LayerNorm"], False),
    ],
)
def test_the_modules_after_pooling_are_taken_in_their_order(
    folder: Path, kinds: list[str], steps: list[str], normalize: bool
) -> None:
    after = [{"path": f"{at}_{kind}", "type": f"sentence_transformers.models.{kind}"} for at, kind in enumerate(kinds)]
    write(folder, "modules.json", [TRANSFORMER, POOLING, *after])
    recipe = read(folder)
    assert ([step.kind for step in recipe.steps], recipe.normalize) == (steps, normalize)


@pytest.mark.parametrize(
    "config",
    [
        {"max_seq_length": 8, "do_lower_case": False},
        {"model_args": {"attn_implementation": "eager"}, "tokenizer_args": {"use_fast": True}, "config_args": {"a": 1}},
        {"transformer_task": "feature-extraction", "modality_config": {"text": {}}, "module_output_name": "x"},
        {"processing_kwargs": {"text": {"padding": True, "truncation": True}, "audio": {}}, "unpad_inputs": False},
        {"query_length": None},
    ],
)
def test_what_needs_nothing_from_a_server_does_not_degrade_a_model(folder: Path, config: dict[str, Any]) -> None:
    write(folder, "sentence_bert_config.json", config)
    assert read(folder).unhonoured == ()


@pytest.mark.parametrize(
    ("name", "document", "said"),
    [
        ("sentence_xlnet_config.json", {"query_length": 32}, "query_length of sentence_xlnet_config.json"),
        ("sentence_bert_config.json", {"query_expansion": {"length": 32}}, "query_expansion"),
        ("sentence_bert_config.json", {"tokenizer_args": {"add_prefix_space": True}}, "add_prefix_space"),
        ("sentence_bert_config.json", {"processing_kwargs": {"text": {"add_special_tokens": False}}}, "add_special"),
        ("sentence_bert_config.json", {"transformer_task": "retrieval"}, "transformer_task 'retrieval'"),
        ("sentence_bert_config.json", {"modality_config": {"text": {}, "message": {}}}, "chat template"),
        ("config_sentence_transformers.json", {"default_prompt_name": "x"}, "no such prompt"),
        ("modules.json", [{"path": "", "type": "custom_st.Transformer"}, POOLING], "custom_st.Transformer"),
    ],
)
def test_what_is_asked_for_and_not_done_is_named(folder: Path, name: str, document: Any, said: str) -> None:
    write(folder, name, document)
    (unhonoured,) = read(folder).unhonoured
    assert said in unhonoured


@pytest.mark.parametrize(
    "config",
    [
        {"do_lower_case": True},
        {"tokenizer_args": {"do_lower_case": True}},
        {"processor_kwargs": {"do_lower_case": True}},
    ],
)
def test_lower_casing_is_read(folder: Path, config: dict[str, Any]) -> None:
    assert not read(folder).lower_case
    write(folder, "modules.json", [TRANSFORMER | {"path": "0_Transformer"}, POOLING])
    write(folder, "0_Transformer/sentence_distilbert_config.json", config)
    assert read(folder).lower_case


def test_a_file_that_is_not_json_is_named(folder: Path) -> None:
    (folder / "modules.json").write_text("{")
    with pytest.raises(LoadError, match=r"modules\.json"):
        read(folder)


@pytest.mark.parametrize(
    ("name", "document", "expected"),
    [
        ("modules.json", {}, "array"),
        ("modules.json", ["Pooling"], "object"),
        ("modules.json", [{"path": "1_Pooling"}], "type"),
        ("modules.json", [POOLING | {"path": 1}], r"\$\[0\]\.path"),
        ("1_Pooling/config.json", [], "object"),
        ("1_Pooling/config.json", {"pooling_mode": 1}, "pooling_mode"),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": "false"}, "bool"),
        ("1_Pooling/config.json", {"include_prompt": "false"}, "include_prompt"),
        ("sentence_bert_config.json", [512], "object"),
        ("sentence_bert_config.json", {"max_seq_length": "512"}, "max_seq_length"),
        ("config_sentence_transformers.json", {"prompts": ["query: "]}, "prompts"),
        ("config_sentence_transformers.json", {"prompts": {"query": 1}}, "prompts"),
        ("config_sentence_transformers.json", {"default_prompt_name": 1}, "default_prompt_name"),
        ("config.json", ["BertModel"], "object"),
        ("config.json", {"architectures": 1}, "architectures"),
        ("config.json", {"model_type": [], "max_position_embeddings": 512}, "model_type"),
        ("tokenizer_config.json", [], "object"),
    ],
)
def test_a_malformed_file_is_named_with_what_is_wrong_in_it(
    folder: Path, name: str, document: Any, expected: str
) -> None:
    write(folder, name, document)
    with pytest.raises(LoadError, match=rf"'{name}' of the model is malformed: .*{expected}"):
        read(folder)


def test_a_file_of_the_folder_that_the_modules_name_is_named_with_it(folder: Path) -> None:
    write(folder, "modules.json", [TRANSFORMER | {"path": "0_Transformer"}])
    write(folder, "0_Transformer/sentence_bert_config.json", {"max_seq_length": "512"})
    with pytest.raises(LoadError, match=r"'0_Transformer/sentence_bert_config\.json'"):
        read(folder)
