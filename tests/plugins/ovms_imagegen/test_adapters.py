"""LoRA adapters on a real model: aliases, composites, and a request's own mixture."""

from __future__ import annotations

import base64
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import openvino as ov
import pytest
from PIL import Image
from tests.plugins.ovms_imagegen.conftest import Served, as_file, last_file, load, opened, run_to_end, served_model

from ovms_core.engine import RequestError
from ovms_imagegen.engine.generation import ImageGeneration
from ovms_imagegen.messages import Draw
from ovms_imagegen.task import variants

pytestmark = pytest.mark.real

ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
WHITE = as_file(Image.new("RGB", (128, 128), "white"))
LORA = [
    {"alias": "ink", "path": "ink.safetensors"},
    {"alias": "oil", "path": "oil.safetensors", "alpha": 0.5},
    {"alias": "both", "parts": {"ink": 0.4, "oil": 0.6}},
]


def save_adapter(file: Path, layer: str, outputs: int, seed: int) -> None:
    """A LoRA of rank 4 with random matrices for one layer of 128 inputs, as safetensors."""
    chance = np.random.default_rng(seed)
    name = "lora_unet_" + f"{ATTENTION}.{layer}".replace(".", "_")
    tensors = {
        f"{name}.lora_down.weight": chance.normal(size=(4, 128)).astype(np.float32),
        f"{name}.lora_up.weight": chance.normal(size=(outputs, 4)).astype(np.float32),
        f"{name}.alpha": np.full((), 4, dtype=np.float32),
    }
    header: dict[str, Any] = {}
    content = b""
    for key, tensor in tensors.items():
        end = len(content) + tensor.nbytes
        header[key] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(content), end]}
        content += tensor.tobytes()
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    file.write_bytes(struct.pack("<Q", len(encoded)) + encoded + content)


@pytest.fixture(scope="module")
def adaptable(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `shapes` with two adapters.

    Its layers get the names that adapters know them by, which its export left out.
    """
    folder = tmp_path_factory.mktemp("adapted")
    shutil.copytree(shapes, folder / "model", ignore=shutil.ignore_patterns("unet"))
    shutil.copytree(shapes / "unet", folder / "model" / "unet", ignore=shutil.ignore_patterns("*.xml", "*.bin"))
    unet = ov.Core().read_model(shapes / "unet" / "openvino_model.xml")
    layers = [node for node in unet.get_ordered_ops() if node.get_type_name() == "MatMul" and reads_text(node)]
    for node, layer in zip(layers, ("to_k", "to_v"), strict=False):
        node.set_friendly_name(f"__module.{ATTENTION}.{layer}/aten::linear/MatMul")
    ov.save_model(unet, folder / "model" / "unet" / "openvino_model.xml", compress_to_fp16=False)
    outputs = layers[0].input(1).get_partial_shape()[0].get_length()
    save_adapter(folder / "model" / "ink.safetensors", "to_k", outputs, seed=1)
    save_adapter(folder / "model" / "oil.safetensors", "to_v", outputs, seed=2)
    return folder / "model"


@pytest.fixture(scope="module")
def adapted(adaptable: Path) -> Iterator[ImageGeneration]:
    """`shapes` with its adapters, loaded."""
    engine = load(adaptable, adaptable.parent, lora=LORA)
    yield engine
    engine.close()


def reads_text(node: Any) -> bool:
    """Whether a matrix multiplication takes in the text encoder's output: its weights have 128 columns."""
    shape = node.input(1).get_partial_shape()
    return bool(shape.rank.get_length() == 2 and shape[1].is_static and shape[1].get_length() == 128)


def pixels(engine: ImageGeneration, model: str, **alphas: float) -> bytes:
    request = Draw(model=model, seed=1, prompt="a red circle on a blue background", lora_alphas=alphas)
    return opened(last_file(run_to_end(engine, request))).tobytes()


def test_an_alias_draws_with_its_adapter_and_the_models_own_name_without(adapted: ImageGeneration) -> None:
    pictures = {name: pixels(adapted, name) for name in ("shapes", "ink", "oil", "both")}
    assert len(set(pictures.values())) == 4
    assert pixels(adapted, "shapes") == pictures["shapes"]


def test_a_requests_own_alphas_override(adapted: ImageGeneration) -> None:
    assert pixels(adapted, "shapes", ink=1.0) == pixels(adapted, "ink")
    assert pixels(adapted, "ink", ink=0.0) == pixels(adapted, "shapes")
    assert pixels(adapted, "both", oil=0.0) == pixels(adapted, "shapes", ink=0.4)
    assert pixels(adapted, "shapes", ink=-1.0) != pixels(adapted, "shapes")


def test_mixtures_in_any_order_stay_what_they_are(adapted: ImageGeneration) -> None:
    mixtures: list[dict[str, float]] = [{}, {"ink": 1}, {"ink": 0.5}, {"oil": 1}, {"ink": 1, "oil": 1}]
    seen = [pixels(adapted, "shapes", **alphas) for alphas in mixtures]
    assert len(set(seen)) == len(mixtures)
    for at in (1, 2, 1, 0, 1, 4, 3, 4, 2, 0):
        assert pixels(adapted, "shapes", **mixtures[at]) == seen[at]


def test_the_file_names_the_adapters(adapted: ImageGeneration) -> None:
    request = Draw(model="both", seed=1, prompt="a red circle", steps=2)
    description = opened(last_file(run_to_end(adapted, request))).info["parameters"]
    assert description.endswith("Lora: ink:0.4 oil:0.6")


def test_an_unknown_adapter_is_refused_with_those_there_are(adapted: ImageGeneration) -> None:
    with pytest.raises(RequestError, match="Loaded: ink, oil"):
        run_to_end(adapted, Draw(model="shapes", seed=1, prompt="a", lora_alphas={"pencil": 1.0}))


def test_every_alias_is_a_model_name() -> None:
    assert list(variants({"lora": LORA})) == ["ink", "oil", "both"]


# -- over HTTP


@pytest.fixture(scope="module")
def adapted_server(adaptable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_model(adaptable, tmp_path_factory.mktemp("adapted-server"), lora=LORA) as served:
        yield served


def drawn(served: Served, **fields: Any) -> bytes:
    """The pixels that the official client gets."""
    request: dict[str, Any] = {"prompt": "a red circle on a blue background", **fields}
    extra = {"seed": 1, "lora_alphas": request.pop("lora_alphas", {})}
    answer = served.openai().images.generate(**request, extra_body=extra)
    assert answer.data is not None
    assert answer.data[0].b64_json is not None
    return opened(base64.b64decode(answer.data[0].b64_json)).tobytes()


@pytest.mark.parametrize("name", ["shapes", "ink", "oil", "both"])
def test_a_client_asks_for_an_adapter_by_its_model_name(
    adapted_server: Served, adapted: ImageGeneration, name: str
) -> None:
    assert drawn(adapted_server, model=name) == pixels(adapted, name)


@pytest.mark.parametrize(
    ("name", "alphas"), [("shapes", {"ink": 1.0}), ("both", {"oil": 0}), ("ink", {"ink": 0.5, "oil": 1.5})]
)
def test_a_client_overrides_strengths(
    adapted_server: Served, adapted: ImageGeneration, name: str, alphas: dict[str, float]
) -> None:
    assert drawn(adapted_server, model=name, lora_alphas=alphas) == pixels(adapted, name, **alphas)


def test_a_form_carries_strengths_as_json(adapted_server: Served) -> None:
    def edited(fields: dict[str, str]) -> httpx.Response:
        fields = {"prompt": "a red circle", "seed": "1", "num_inference_steps": "4", **fields}
        return httpx.post(f"{adapted_server.images}/edits", data=fields, files={"image": WHITE}, timeout=60)

    by_name, by_strength = edited({"model": "ink"}), edited({"lora_alphas": '{"ink": 1.0}'})
    assert by_name.json()["data"] == by_strength.json()["data"]
    assert by_name.json()["data"] != edited({"model": "oil"}).json()["data"]


@pytest.mark.parametrize(
    "alphas", [{"pencil": 1.0}, {"both": 1.0}, {"ink": "strong"}, [1.0], {"ink": None}, {"ink": 1e300}]
)
def test_strengths_that_make_no_sense_are_a_400(adapted_server: Served, alphas: Any) -> None:
    body = {"model": "ink", "prompt": "a", "lora_alphas": alphas}
    answer = httpx.post(f"{adapted_server.images}/generations", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("lora_alphas")


def test_adapters_are_listed_among_the_models(adapted_server: Served) -> None:
    models = {model.id: model for model in adapted_server.openai().models.list()}
    assert set(models) == {"shapes", "ink", "oil", "both"}
    assert adapted_server.openai().models.retrieve("both").id == "both"


def test_an_unknown_adapter_is_an_unknown_model(adapted_server: Served) -> None:
    with pytest.raises(openai.NotFoundError, match="pencil"):
        drawn(adapted_server, model="pencil")
