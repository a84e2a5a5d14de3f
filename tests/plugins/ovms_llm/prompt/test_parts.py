"""The parts of the engine that need no model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovms_core.model_files import ModelFiles
from ovms_llm.engine.detokenizer import Detokenizer
from ovms_llm.engine.stops import StopStrings
from ovms_llm.task import detect


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_a_stop_string_is_found_however_the_text_is_cut(size: int) -> None:
    text, stops, shown = "one two three four", StopStrings(["three", "two t"], include=False), ""
    for start in range(0, len(text), size):
        piece, match = stops.feed(text[start : start + size])
        shown += piece
        if match:
            break
    assert (shown, match) == ("one ", "two t")


@pytest.mark.parametrize(("size", "first"), [(1, "st"), (2, "st"), (4, "stop")])
def test_a_stop_string_counts_from_where_the_text_may_end(size: int, first: str) -> None:
    text, may_end, stops, shown = "stop it, stop now", 10, StopStrings(["stop", "st"], include=False), ""
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    for at, piece in enumerate(pieces):
        told, match = stops.feed(piece, may_end=at * size >= may_end)
        shown += told
        if match:
            break
    assert (shown, match) == ("stop it, ", first), "the second 'st' comes too early when pieces have 4 characters"


_letters = st.text("ab", min_size=1, max_size=5)


@given(stops=st.lists(_letters, min_size=1, max_size=8, unique=True), pieces=st.lists(_letters, max_size=12))
def test_the_stop_string_that_is_complete_first_wins_and_nothing_is_held_in_vain(
    stops: list[str], pieces: list[str]
) -> None:
    place, shown, match, text = StopStrings(stops, include=False), "", None, "".join(pieces)
    ends = [(text.find(stop) + len(stop), text.find(stop), stop) for stop in stops if stop in text]
    _, start, expected = min(ends, default=(0, len(text), None))
    for at, piece in enumerate(pieces):
        told, match = place.feed(piece)
        shown += told
        if match:
            break
        so_far = "".join(pieces[: at + 1])
        assert so_far.startswith(shown)
        assert shown == so_far or any(stop.startswith(so_far[len(shown) :]) for stop in stops)
    assert (shown + place.flush(), match) == (text[:start], expected)


def test_half_a_character_is_held_back() -> None:
    place = Detokenizer()
    data = "é🤗".encode()

    def decode(ids: list[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")

    pieces = [place.advance(*map(decode, place.windows([byte]))) for byte in data]
    assert pieces == ["", "é", "", "", "", "🤗"]


@pytest.mark.parametrize(
    ("names", "architecture", "mine"),
    [
        (["model.gguf"], None, True),
        (["model-00001-of-00002.GGUF", "mmproj.gguf"], None, True),
        (["mmproj.gguf"], None, False),
        (["openvino_model.xml", "generation_config.json"], None, True),
        (["openvino_model.xml", "openvino_tokenizer.xml", "openvino_detokenizer.xml"], None, True),
        (["openvino_model.xml", "openvino_tokenizer.xml"], None, False),
        (["openvino_model.xml"], "Qwen3ForCausalLM", True),
        (["openvino_model.xml", "modules.json"], "Qwen3ForCausalLM", False),
        (["openvino_model.xml"], "BertForSequenceClassification", False),
        (["model_index.json", "openvino_model.xml"], None, False),
    ],
)
def test_only_causal_language_models_are_claimed(
    tmp_path: Path, names: list[str], architecture: str | None, mine: bool
) -> None:
    for name in names:
        (tmp_path / name).touch()
    if architecture:
        (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    assert (detect(ModelFiles.at(tmp_path)) > 0) is mine


def test_the_language_model_of_several_parts_is_claimed_where_it_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "openvino_model.xml").touch()
    config = {"architectures": ["Gemma3ForConditionalGeneration"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert detect(ModelFiles.at(tmp_path)) == 0
    (tmp_path / "config.json").write_text(json.dumps(config | {"text_config": {}}))
    assert detect(ModelFiles.at(tmp_path)) == 100
