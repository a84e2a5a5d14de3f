"""Small tokenizers that join pairs as those of the well-known families do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEXTS = [
    "What is the capital of France? Paris is the capital and largest city of France.",
    "Use the sorted function or the list sort method. Spiders are arachnids and have eight legs.",
    "Rinse the rice, add two cups of water per cup of rice, and leave it on a low flame. yes no",
]


def trained_once(train: Callable[[], Tokenizer]) -> Callable[[], Tokenizer]:
    """Gives a copy of its own of what is trained once: training is not the same twice."""
    saved = cache(lambda: train().to_str())

    @wraps(train)
    def copy() -> Tokenizer:
        return Tokenizer.from_str(saved())

    return copy


@trained_once
def bert() -> Tokenizer:
    """``[CLS] A [SEP] B [SEP]``, with segments."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


@trained_once
def roberta() -> Tokenizer:
    """``<s> A </s></s> B </s>``, bytes, no segments."""
    tokenizer = _bytes(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


@trained_once
def xlm_roberta() -> Tokenizer:
    """``<s> A </s></s> B </s>``, sentence pieces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = _template("<s> $A </s> </s> $B </s>", ("<s>", 0), ("</s>", 2))
    return tokenizer


@trained_once
def deberta() -> Tokenizer:
    """``[CLS] A [SEP] B [SEP]`` with segments, sentence pieces."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="[UNK]")
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = _template("[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", ("[CLS]", 1), ("[SEP]", 2))
    return tokenizer


@trained_once
def qwen() -> Tokenizer:
    """Bytes and chat markers; it adds nothing by itself."""
    tokenizer = _bytes(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["yes", "no"])
    return tokenizer


PAIR_FAMILIES: list[Callable[[], Tokenizer]] = [bert, roberta, xlm_roberta, deberta]


def _bytes(special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def _template(pair: str, *special: tuple[str, int]) -> processors.TemplateProcessing:
    single = pair.partition("$B")[0].replace("</s> </s>", "</s>").strip()
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=list(special))
