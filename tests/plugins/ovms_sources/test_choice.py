from __future__ import annotations

import pytest

from ovms_core.plugin import SourceError
from ovms_sources.hub.selection import select

TEXTS = ["config.json", "tokenizer.json", "README.md"]


def local(names: list[str], wanted: str = "") -> list[str]:
    return sorted(select(names, wanted).files.values())


def test_openvino_is_preferred_to_everything_else() -> None:
    names = [*TEXTS, "openvino_model.xml", "openvino_model.bin", "m.gguf", "onnx/model.onnx", "model.safetensors"]
    selection = select([*names, "modeling.py", "openvino_tokenizer.xml", "openvino_tokenizer.bin"])
    assert selection.format == "openvino"
    assert sorted(selection.files) == sorted(
        [*TEXTS, "openvino_model.xml", "openvino_model.bin", "openvino_tokenizer.xml", "openvino_tokenizer.bin"]
    )


def test_tokenizers_alone_are_no_model() -> None:
    assert select(["openvino_tokenizer.xml", "openvino_tokenizer.bin", "model.safetensors"]).format == "pytorch"


def test_a_model_in_an_openvino_folder_is_put_beside_its_configuration() -> None:
    names = [*TEXTS, "modules.json", "1_Pooling/config.json", "2_Dense/model.safetensors", "pytorch_model.bin"]
    variants = ["openvino/openvino_model.xml", "openvino/openvino_model.bin"]
    variants += ["openvino/openvino_model_qint8.xml", "openvino/openvino_model_qint8.bin"]
    weights = ["openvino_model.xml", "openvino_model.bin"]
    assert local([*names, *variants]) == sorted({*names, *weights} - {"pytorch_model.bin"})
    quantised = select([*names, *variants], "qint8").files
    assert quantised["openvino/openvino_model_qint8.xml"] == "openvino_model.xml"
    assert quantised["openvino/openvino_model_qint8.bin"] == "openvino_model.bin"


def test_a_model_in_several_parts_is_whole() -> None:
    parts = [f"openvino_{part}_model.{kind}" for part in ("language", "vision") for kind in ("xml", "bin")]
    assert local([*TEXTS, *parts]) == sorted([*TEXTS, *parts])


def test_a_diffusion_pipeline_keeps_its_folders() -> None:
    names = ["model_index.json", "scheduler/scheduler_config.json", "tokenizer/merges.txt", "tokenizer/vocab.json"]
    names += ["unet/openvino_model.xml", "unet/openvino_model.bin", "unet/config.json"]
    names += ["tokenizer/openvino_tokenizer.xml", "tokenizer/openvino_tokenizer.bin"]
    assert local([*names, "unet/diffusion_pytorch_model.safetensors", "samples.png"]) == sorted(names)


@pytest.mark.parametrize(
    ("quants", "chosen"),
    [
        (["Q8_0", "Q4_K_M", "Q4_0"], "Q4_K_M"),
        (["Q8_0", "Q4_0"], "Q4_0"),
        (["f16", "q8_0"], "q8_0"),
        (["Q6_K", "Q5_K_S"], "Q5_K_S"),
    ],
)
def test_one_quantisation_is_chosen_by_preference(quants: list[str], chosen: str) -> None:
    selection = select([f"model-{quant}.gguf" for quant in quants])
    assert (selection.format, selection.chosen) == ("gguf", f"model-{chosen}.gguf")
    assert len(selection.others) == len(quants) - 1


def test_a_quantisation_or_file_can_be_named() -> None:
    names = ["m-Q4_K_M.gguf", "m-Q8_0.gguf", "mmproj-Q8_0.gguf", *TEXTS]
    assert local(names, "q8_0") == sorted(["m-Q8_0.gguf", *TEXTS])
    assert local(names, "m-Q8_0.gguf") == sorted(["m-Q8_0.gguf", *TEXTS])
    with pytest.raises(SourceError, match=r"no weights named 'Q2'. There are: m-Q4_K_M.gguf"):
        select(names, "Q2")


def test_a_gguf_in_shards_is_fetched_whole() -> None:
    shards = [f"Q4_K_M/m-Q4_K_M-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    selection = select([*shards, "Q8_0/m-Q8_0-00001-of-00001.gguf"])
    assert sorted(selection.files) == shards
    assert sorted(selection.files.values()) == [shard.removeprefix("Q4_K_M/") for shard in shards]


def test_any_shard_means_the_whole_model_and_a_missing_one_is_named() -> None:
    shards = [f"m-Q8_0-0000{n}-of-00003.GGUF" for n in (1, 2, 3)]
    selection = select([*shards, "mmproj-m.gguf"], shards[1])
    assert (selection.chosen, sorted(selection.files)) == (shards[0], shards)
    assert select([*shards, "mmproj-m.gguf"]).others == []
    with pytest.raises(SourceError, match=r"not whole: it has no m-Q8_0-00002-of-00003\.GGUF"):
        select([shards[0], shards[2]])
    with pytest.raises(SourceError, match="no weights named 'mmproj'"):
        select([*shards, "mmproj-m.gguf"], "mmproj")


def test_onnx_comes_with_its_external_data() -> None:
    names = ["onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_int8.onnx", "onnx/config.json", *TEXTS]
    assert local([*names, "model.safetensors"]) == sorted([*TEXTS, "model.onnx", "model.onnx_data"])
    assert "model_int8.onnx" in local(names, "int8")


def test_a_repository_without_weights_is_refused_with_what_it_has() -> None:
    with pytest.raises(SourceError, match=r"its files are: README.md, data.csv"):
        select(["data.csv", "README.md"])
