"""Makes the reference data of the reranker's tests with onnxruntime, which shares no code with the engine.

    pip install onnx onnxruntime openvino tokenizers
    python tests/plugins/ovms_rerank/data/make_reference.py plugins/ovms_starter/src/ovms_starter/models/tiny-reranker

It writes `tiny-reranker.json`: scores of tiny-reranker's own weights, read out of its OpenVINO file as they are
stored and put into an ONNX graph that is written down here; and `two-labels/`: a BERT with two labels and
random weights as ONNX, with its tokenizer and scores.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx  # type: ignore[import-not-found,unused-ignore]
import onnxruntime  # type: ignore[import-not-found,unused-ignore]
import openvino as ov
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

HERE = Path(__file__).parent
Weights = dict[str, NDArray[np.float32]]

PAIRS = [
    ("What is the capital of France?", "Paris is the capital and largest city of France."),
    ("What is the capital of France?", "Berlin is the capital of Germany."),
    ("What is the capital of France?", "France won the football world cup in 1998."),
    ("how to sort a list in python", "Use the sorted() function or the list.sort() method."),
    ("how to sort a list in python", "A python is a large snake that kills its prey by squeezing it."),
    ("how many legs does a spider have", "Spiders are arachnids and have eight legs."),
    ("how many legs does a spider have", "Insects have six legs and three body parts."),
    ("speed of light", "The speed limit in the city is 50 km/h."),
    ("Qu'est-ce que c'est?", "Ångström, naïve café — 漢字 and emoji 🙂 in one text."),
    ("image editor", "GIMP lets you retouch photos, draw pictures and compose images. " * 3),
]


def weights_of(model: ov.Model) -> Weights:
    """Every named weight of tiny-reranker, dequantised as its file says: (value - zero point) * scale."""
    stored = {op.get_friendly_name(): op for op in model.get_ordered_ops() if op.get_type_name() == "Constant"}
    weights: Weights = {}
    for name, op in stored.items():
        if name.startswith("self.") and name.endswith(".weight"):
            zero = stored[f"{name}/zero_point"].data.astype(np.float32)
            scale = stored[f"{name}/scale"].data.astype(np.float32)
            weights[name.removeprefix("self.")] = (op.data.astype(np.float32) - zero) * scale
    return weights | _vectors(model)


def _vectors(model: ov.Model) -> Weights:
    """The biases and the parameters of layer norms, which are found by the operation that uses them."""
    vectors: Weights = {}
    for op in model.get_ordered_ops():
        name = op.get_friendly_name().removeprefix("__module.")
        if op.get_type_name() == "MatMul":
            vectors[name.removesuffix("/aten::linear/MatMul") + ".bias"] = _constant_of(_user(op))
        elif op.get_type_name() == "MVN":
            scaled = _user(op)
            prefix = name.removesuffix("/aten::layer_norm/MVN")
            vectors[f"{prefix}.weight"], vectors[f"{prefix}.bias"] = _constant_of(scaled), _constant_of(_user(scaled))
    return vectors


def _user(op: ov.Node) -> ov.Node:
    return next(iter(op.output(0).get_target_inputs())).get_node()


def _constant_of(op: ov.Node) -> NDArray[np.float32]:
    sources = [op.input_value(index).get_node() for index in range(op.get_input_size())]
    constant = next(source for source in sources if source.get_type_name() == "Constant")
    return np.asarray(constant.data, np.float32).reshape(-1)


class BertGraph:
    """BERT for sequence classification as an ONNX graph, after https://arxiv.org/abs/1810.04805."""

    def __init__(self, weights: Weights, layers: int, heads: int) -> None:
        self._weights = weights
        self._layers = layers
        self._heads = heads
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self) -> Any:
        names = ("input_ids", "attention_mask", "token_type_ids")
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "length"]) for name in names]
        labels = self._weights["classifier.weight"].shape[0]
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", labels])
        self._op("Identity", self._logits(), output="logits")
        graph = helper.make_graph(self._nodes, "bert", inputs, [output], self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def _logits(self) -> str:
        hidden = self._embedded()
        mask = self._mask()
        for layer in range(self._layers):
            hidden = self._layer(hidden, mask, f"bert.encoder.layer.{layer}")
        first = self._op("Gather", hidden, self._constant(np.array(0)), axis=1)
        pooled = self._op("Tanh", self._linear(first, "bert.pooler.dense"))
        return self._linear(pooled, "classifier")

    def _embedded(self) -> str:
        table = "bert.embeddings.{}_embeddings.weight"
        words = self._op("Gather", self._weight(table.format("word")), "input_ids")
        types = self._op("Gather", self._weight(table.format("token_type")), "token_type_ids")
        length = self._op("Gather", self._op("Shape", "input_ids"), self._constant(np.array(1)), axis=0)
        zero, one = self._constant(np.array(0)), self._constant(np.array(1))
        places = self._op("Gather", self._weight(table.format("position")), self._op("Range", zero, length, one))
        together = self._op("Add", self._op("Add", words, types), places)
        return self._norm(together, "bert.embeddings.LayerNorm")

    def _mask(self) -> str:
        present = self._op("Cast", "attention_mask", to=TensorProto.FLOAT)
        absent = self._op("Sub", self._constant(np.float32(1)), present)
        scaled = self._op("Mul", absent, self._constant(np.float32(-10000)))
        return self._op("Unsqueeze", scaled, self._constant(np.array([1, 2])))

    def _layer(self, hidden: str, mask: str, name: str) -> str:
        attended = self._linear(
            self._attention(hidden, mask, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        hidden = self._norm(self._op("Add", hidden, attended), f"{name}.attention.output.LayerNorm")
        inner = self._gelu(self._linear(hidden, f"{name}.intermediate.dense"))
        return self._norm(
            self._op("Add", hidden, self._linear(inner, f"{name}.output.dense")), f"{name}.output.LayerNorm"
        )

    def _attention(self, hidden: str, mask: str, name: str) -> str:
        width = self._weights[f"{name}.query.weight"].shape[0]
        split = self._constant(np.array([0, 0, self._heads, width // self._heads]))
        query, key, value = (
            self._op("Reshape", self._linear(hidden, f"{name}.{part}"), split) for part in ("query", "key", "value")
        )
        query = self._op("Transpose", query, perm=[0, 2, 1, 3])
        key = self._op("Transpose", key, perm=[0, 2, 3, 1])
        value = self._op("Transpose", value, perm=[0, 2, 1, 3])
        root = self._constant(np.float32((width // self._heads) ** 0.5))
        odds = self._op("Add", self._op("Div", self._op("MatMul", query, key), root), mask)
        mixed = self._op("MatMul", self._op("Softmax", odds, axis=-1), value)
        joined = self._op("Transpose", mixed, perm=[0, 2, 1, 3])
        return self._op("Reshape", joined, self._constant(np.array([0, 0, width])))

    def _gelu(self, value: str) -> str:
        error = self._op("Erf", self._op("Div", value, self._constant(np.float32(2**0.5))))
        half = self._op("Mul", value, self._constant(np.float32(0.5)))
        return self._op("Mul", half, self._op("Add", error, self._constant(np.float32(1))))

    def _linear(self, value: str, name: str) -> str:
        product = self._op("MatMul", value, self._constant(self._weights[f"{name}.weight"].T.copy()))
        return self._op("Add", product, self._weight(f"{name}.bias"))

    def _norm(self, value: str, name: str) -> str:
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._op("LayerNormalization", value, weight, bias, axis=-1, epsilon=1e-12)

    def _weight(self, name: str) -> str:
        return self._constant(self._weights[name])

    def _constant(self, value: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name


def logits(model: Any, tokenizer: Tokenizer) -> list[list[float]]:
    """What onnxruntime makes of each pair by itself."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = []
    for query, document in PAIRS:
        encoding = tokenizer.encode(query, document)
        columns = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feeds = {name: np.array([column], np.int64) for name, column in columns.items()}
        rows.append(session.run(["logits"], feeds)[0][0].tolist())
    return rows


def save(path: Path, rows: list[list[float]]) -> None:
    pairs = [{"query": query, "document": text, "logits": row} for (query, text), row in zip(PAIRS, rows, strict=True)]
    path.write_text(
        json.dumps({"made_with": f"onnxruntime {onnxruntime.__version__}", "pairs": pairs}, indent=1) + "\n"
    )


def tiny_reranker(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    model = BertGraph(weights_of(ov.Core().read_model(folder / "openvino_model.xml")), layers=3, heads=4).model()
    save(HERE / "tiny-reranker.json", logits(model, tokenizer))


def two_labels(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    tokenizer = small_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    weights = random_weights(tokenizer.get_vocab_size(), width=32, layers=2, positions=256)
    model = BertGraph(weights, layers=2, heads=4).model()
    onnx.save(model, folder / "model.onnx")
    labels = {"0": "irrelevant", "1": "relevant"}
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "id2label": labels,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save(folder / "reference.json", logits(model, tokenizer))


def small_tokenizer() -> Tokenizer:
    """WordPiece over the words of the pairs' first halves and all letters, so that there are whole words and pieces."""
    words = sorted({word for query, _ in PAIRS for word in query.lower().rstrip("?").split() if word.isalpha()})
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *words]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def random_weights(vocabulary: int, width: int, layers: int, positions: int) -> Weights:
    random = np.random.default_rng(7)
    weights: Weights = {}

    def linear(name: str, outputs: int, inputs: int) -> None:
        weights[f"{name}.weight"] = random.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        weights[f"{name}.bias"] = random.normal(0, 0.1, outputs).astype(np.float32)

    def norm(name: str) -> None:
        weights[f"{name}.weight"] = random.normal(1, 0.1, width).astype(np.float32)
        weights[f"{name}.bias"] = random.normal(0, 0.1, width).astype(np.float32)

    for table, rows in (("word", vocabulary), ("position", positions), ("token_type", 2)):
        weights[f"bert.embeddings.{table}_embeddings.weight"] = random.normal(0, 1, (rows, width)).astype(np.float32)
    norm("bert.embeddings.LayerNorm")
    for layer in range(layers):
        name = f"bert.encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{name}.attention.{part}", width, width)
        linear(f"{name}.intermediate.dense", 2 * width, width)
        linear(f"{name}.output.dense", width, 2 * width)
        norm(f"{name}.attention.output.LayerNorm")
        norm(f"{name}.output.LayerNorm")
    linear("bert.pooler.dense", width, width)
    linear("classifier", 2, width)
    return weights


if __name__ == "__main__":
    tiny_reranker(Path(sys.argv[1]))
    two_labels(HERE / "two-labels")
