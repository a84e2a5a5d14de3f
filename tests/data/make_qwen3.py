"""Write qwen3-embedding/ and qwen3-reranker/: tiny random models as Optimum exports them, and what they should give.

    pip install torch "optimum-intel[openvino]" sentence-transformers
    python tests/data/make_qwen3.py

The vectors are those of sentence-transformers, the log-odds those of the code on Qwen3-Reranker's model card
(https://huggingface.co/Qwen/Qwen3-Reranker-0.6B); both run the PyTorch weights, padded on the left.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

HERE = Path(__file__).parent
TEXTS = ["the capital", "What is the capital of France?", "Paris is the largest city. " * 9, "rice", "yes no " * 40]
QUERY = "capital of France?"
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
PROMPTS = {"query": f"Instruct: {INSTRUCTION}\nQuery:", "document": ""}
JUDGE = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
PREFIX = f"<|im_start|>system\n{JUDGE}<|im_end|>\n<|im_start|>user\n"
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
MODULES = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
KEPT = ("config.json", "openvino_model.xml", "openvino_model.bin", "tokenizer.json", "tokenizer_config.json")


def tokenizer(*, ends: bool) -> Any:
    """Bytes and chat markers as in Qwen3; that of the embedder `ends` a text with a token, the reranker's does not."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=special, initial_alphabet=alphabet)
    raw.train_from_iterator([*TEXTS, JUDGE, INSTRUCTION], trainer)
    if ends:
        end = processors.TemplateProcessing(single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)])
        raw.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), end])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<|endoftext|>", eos_token="<|im_end|>", model_max_length=131072
    )


def save(folder: Path, words: Any, seed: int) -> None:
    """A random model of two layers with its tokenizer."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=2,
        initializer_range=0.3,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)


def export(source: Path, target: Path, task: str, *, extra: tuple[str, ...] = ()) -> None:
    """Run ``optimum-cli`` and keep what a server needs."""
    command = [str(Path(sys.executable).parent / "optimum-cli"), "export", "openvino", "--weight-format", "fp32"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "-m", str(source), "--task", task, *extra, folder], check=True)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for name in KEPT:
            shutil.copy(Path(folder) / name, target / name)


def make_embedding(source: Path, target: Path) -> None:
    """With the files of sentence-transformers that Qwen3-Embedding has; Optimum takes such a model to be one of its."""
    save(source, tokenizer(ends=True), seed=1)
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{name}"}
        for index, (path, name) in enumerate(MODULES.items())
    ]
    files = {
        "modules.json": modules,
        "1_Pooling/config.json": {
            "word_embedding_dimension": 32,
            "pooling_mode_lasttoken": True,
            "include_prompt": True,
        },
        "config_sentence_transformers.json": {"prompts": PROMPTS, "default_prompt_name": None},
    }
    (source / "1_Pooling").mkdir()
    for name, document in files.items():
        (source / name).write_text(json.dumps(document))
    export(source, target, "feature-extraction", extra=("--library", "sentence_transformers"))
    for name in files:
        (target / name).parent.mkdir(exist_ok=True)
        shutil.copy(source / name, target / name)
    model = SentenceTransformer(str(source), processor_kwargs={"padding_side": "left"})
    write(
        target,
        texts=TEXTS,
        tokens=[len(model.tokenizer(text)["input_ids"]) for text in TEXTS],
        documents=model.encode(TEXTS).tolist(),
        queries=model.encode(TEXTS, prompt_name="query").tolist(),
    )


def make_reranker(source: Path, target: Path) -> None:
    """A plain causal model, which is what Qwen3-Reranker is."""
    words = tokenizer(ends=False)
    words.padding_side = "left"
    save(source, words, seed=2)
    export(source, target, "text-generation-with-past")
    before, after = (words.encode(text, add_special_tokens=False) for text in (PREFIX, SUFFIX))
    pairs = [f"<Instruct>: {INSTRUCTION}\n<Query>: {QUERY}\n<Document>: {text}" for text in TEXTS]
    ids = [before + words(pair)["input_ids"] + after for pair in pairs]
    model = Qwen3ForCausalLM.from_pretrained(source).eval()
    with torch.no_grad():
        logits = model(**words.pad({"input_ids": ids}, return_tensors="pt")).logits[:, -1]
    no, yes = words.convert_tokens_to_ids(["no", "yes"])
    write(
        target,
        query=QUERY,
        documents=TEXTS,
        tokens=[len(sequence) for sequence in ids],
        log_odds=(logits[:, yes] - logits[:, no]).tolist(),
    )


def write(target: Path, **reference: Any) -> None:
    """The reference beside the model."""
    (target / "reference.json").write_text(json.dumps(reference))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        make_embedding(Path(work) / "embedding", HERE / "qwen3-embedding")
        make_reranker(Path(work) / "reranker", HERE / "qwen3-reranker")
