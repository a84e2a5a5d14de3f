"""Which tokens end an answer: all that a model's files name, each alone and every pair that disagrees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.ovms_llm.conftest import generate, run
from tests.plugins.ovms_llm.tiny import CHATML, write_gguf

from ovms_core.engine import ModelSpec
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.messages import Chat
from ovms_llm.model.model_files import read_files
from ovms_llm.model.named_ends import named_ends
from ovms_llm.prompt.endings import end_tokens, turn_ends
from ovms_llm.prompt.templates import ChatTemplate
from ovms_llm.prompt.vocabulary import Vocabulary

WORDS = ("a", "the", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot|>", "<|eom|>", "<|user|>", "<turn>", "\n")
SPECIAL = frozenset(range(2, 9))
TOKEN = {"__type": "AddedToken", "content": "</s>"}


class Words:
    """A tokenizer of whole words, some of which are special."""

    def get_vocab(self) -> dict[str, int]:
        return {word: id for id, word in enumerate(WORDS)}

    def decode(self, lists: Sequence[list[int]], skip_special_tokens: bool) -> list[str]:
        hidden = SPECIAL if skip_special_tokens else frozenset()
        return ["".join(WORDS[id] for id in ids if id not in hidden) for ids in lists]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(Words(), len(WORDS))


def template_of(*templates: str) -> ChatTemplate:
    named = {str(number): template for number, template in enumerate(templates)}
    return ChatTemplate(named, {"bos_token": "<s>", "eos_token": "</s>"}, lambda *arguments: "")


NOTHING = template_of()

Named = dict[str, Any]
# Each place where an end token may be named, and how: the file, or GGUF's metadata, or the chat template.
PLACES: dict[str, tuple[Named, int]] = {
    "generation": ({"generation_config.json": {"eos_token_id": 6}}, 6),
    "config": ({"config.json": {"eos_token_id": [7]}}, 7),
    "text config": ({"config.json": {"text_config": {"eos_token_id": 5}}}, 5),
    "tokenizer": ({"tokenizer_config.json": {"eos_token": TOKEN}}, 3),
    "special tokens": ({"special_tokens_map.json": {"eos_token": "<turn>"}}, 9),
    "gguf eos": ({"gguf": {"tokenizer.ggml.eos_token_id": 2}}, 2),
    "gguf eot": ({"gguf": {"tokenizer.ggml.eot_token_id": 4}}, 4),
    "gguf eom": ({"gguf": {"tokenizer.ggml.eom_token_id": 8}}, 8),
    "template": ({"template": "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"}, 5),
}
PAIRS = [
    pair
    for pair in combinations(PLACES, 2)
    if not set(PLACES[pair[0]][0]) & set(PLACES[pair[1]][0]) - {"gguf"} and set(pair) != {"text config", "template"}
    if set(pair) != {"tokenizer", "special tokens"}
]


def ends(folder: Path, vocabulary: Vocabulary, *places: str) -> frozenset[int]:
    gguf: dict[str, Any] = {}
    template = NOTHING
    for place in places:
        for name, content in PLACES[place][0].items():
            if name == "gguf":
                gguf |= content
            elif name == "template":
                template = template_of(content)
            else:
                (folder / name).write_text(json.dumps(content))
    return end_tokens(named_ends(read_files(folder), gguf), -1, vocabulary, template)


@pytest.mark.parametrize("place", PLACES)
def test_an_end_token_counts_wherever_it_is_named(place: str, tmp_path: Path, vocabulary: Vocabulary) -> None:
    assert ends(tmp_path, vocabulary, place) == {PLACES[place][1]}


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_of_two_that_disagree_both_end_an_answer(pair: tuple[str, str], tmp_path: Path, vocabulary: Vocabulary) -> None:
    assert ends(tmp_path, vocabulary, *pair) == {PLACES[place][1] for place in pair}


def test_the_tokenizers_own_end_token_counts(tmp_path: Path, vocabulary: Vocabulary) -> None:
    assert end_tokens(named_ends(read_files(tmp_path), {}), 3, vocabulary, NOTHING) == {3}


def test_an_ordinary_word_that_only_the_configuration_names_ends_nothing(
    tmp_path: Path, vocabulary: Vocabulary
) -> None:
    (tmp_path / "config.json").write_text('{"eos_token_id": [1, 5, 99, -1]}')
    named = named_ends(read_files(tmp_path), {})
    assert end_tokens(named, 0, vocabulary, NOTHING) == {5}
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 1}')
    assert end_tokens(named_ends(read_files(tmp_path), {}), 0, vocabulary, NOTHING) == {1, 5}
    (tmp_path / "generation_config.json").unlink()
    (tmp_path / "config.json").write_text('{"eos_token_id": 1}')
    assert end_tokens(named_ends(read_files(tmp_path), {}), -1, vocabulary, NOTHING) == {1}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CHATML, {"<|im_end|>"}),
        ("<s>{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}", {"</s>"}),
        # Roles as text, and a system prompt of the template's own.
        ("a</s>\n{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}", {"</s>"}),
        # Llama 2: the end of an answer is the beginning of the next turn, too.
        (
            "{% for m in messages %}{% if m.role == 'user' %}<s>[INST] {{ m.content }} [/INST]"
            "{% else %} {{ m.content }} </s>{% endif %}{% endfor %}",
            {"</s>"},
        ),
        # GLM: an answer ends where the next turn begins, which is told in other files.
        ("{% for m in messages %}<|user|>{{ m.content }}{% endfor %}", set()),
        # The next turn is opened whether it is asked for or not.
        (
            "{% for m in messages %}<|{{ 'user' if m.role == 'user' else 'im_start' }}|>{{ m.content }}\n{% endfor %}"
            "<|im_start|>",
            set(),
        ),
        # gpt-oss: the last answer ends otherwise than those before it.
        (
            "{% for m in messages %}<|im_start|>{{ m.content }}{{ '<|eot|>' if loop.last else '<|eom|>' }}{% endfor %}",
            set(),
        ),
        # A control token that its vocabulary does not call one.
        ("{% for m in messages %}{{ m.content }}<turn>{% endfor %}", {"<turn>"}),
        # Ordinary words, and white space alone.
        ("{% for m in messages %}{{ m.content }}the{% endfor %}", set()),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", set()),
        # It refuses the probe, forgets it, or is no template.
        ("{{ raise_exception('no') }}", set()),
        ("<|im_end|>", set()),
        ("{% if %}", set()),
    ],
)
def test_what_a_template_ends_a_turn_with_is_found(template: str, expected: set[str], vocabulary: Vocabulary) -> None:
    found = turn_ends(template_of(template), vocabulary)
    assert {WORDS[id] for id in found} == expected


def test_every_template_of_a_model_is_looked_at(vocabulary: Vocabulary) -> None:
    templates = template_of(CHATML, CHATML.replace("<|im_end|>", "<|eot|>"))
    assert {WORDS[id] for id in turn_ends(templates, vocabulary)} == {"<|im_end|>", "<|eot|>"}


@pytest.mark.real
def test_answers_of_a_gguf_end_at_any_of_its_end_tokens(tmp_path: Path) -> None:
    def answer(name: str, **ids: int) -> tuple[list[int], dict[str, int], str | None]:
        write_gguf(tmp_path / name / "tiny.gguf", **ids)
        spec = ModelSpec(
            name=name,
            task="text_generation",
            path=str(tmp_path / name),
            work_dir=str(tmp_path / "work" / name),
            device="CPU",
            options={"cache_size": 0.01, "deterministic": True},
        )
        engine = TextGeneration(spec)
        [outcome] = run(engine, generate(Chat([{"role": "user", "content": "Hi"}]), max_tokens=12))
        return outcome.tokens(), engine.info().details["end_tokens"], outcome.last().finish_reason

    tokens, shown, reason = answer("plain")
    assert (shown, reason) == ({"<|im_end|>": 2}, "length")
    for kind in ("eot", "eom"):
        ended, shown, reason = answer(kind, **{kind: tokens[5]})
        assert tokens[5] in shown.values()
        assert (ended, reason) == (tokens[: tokens.index(tokens[5]) + 1], "stop")
