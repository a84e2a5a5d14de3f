"""The engine on a real model."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.plugins.ovms_llm.conftest import Outcome, generate, run

from ovms_core.engine import DONE, RequestError
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.grammar.limits import Limits
from ovms_llm.messages import (
    Chat,
    Delta,
    Detokenize,
    Detokenized,
    Generate,
    Prompt,
    Sampling,
    Started,
    Text,
    Timings,
    Tokenize,
    Tokenized,
    Tokens,
)
from ovms_llm.speech.profile import SpeechProfile

pytestmark = pytest.mark.real

STORY = "Once upon a time, in a small village by the sea,"
CHAT = Chat([{"role": "user", "content": "Name three colours of the rainbow."}])


def test_streamed_text_is_the_text_of_its_tokens(engine: TextGeneration) -> None:
    [outcome] = run(engine, generate(STORY, max_tokens=48))
    [decoded] = run(engine, Detokenize(outcome.tokens(), skip_special_tokens=True))
    assert len(outcome.tokens()) == 48
    assert outcome.text() == next(gain.text for gain in decoded.gains if isinstance(gain, Detokenized))


def test_a_request_starts_once_and_is_done_once(engine: TextGeneration) -> None:
    request = Generate(prompt=CHAT, sampling=Sampling(max_tokens=8, temperature=0), echo=True, timings=True)
    [outcome] = run(engine, request)
    started = [gain for gain in outcome.gains if isinstance(gain, Started)]
    assert len(started) == 1
    assert outcome.gains[0] is started[0]
    assert started[0].prompt_text is not None
    assert started[0].prompt_text.endswith("<|im_start|>assistant\n")
    assert isinstance(outcome.gains[-2], Timings)
    assert [gain for gain in outcome.gains if gain is DONE] == [outcome.gains[-1]]
    assert outcome.last().finish_reason == "length"


def test_a_batch_gives_the_same_text_as_each_request_alone(engine: TextGeneration) -> None:
    requests = [generate(f"Tell me story number {number} about the sea.", max_tokens=12) for number in range(16)]
    together = [outcome.text() for outcome in run(engine, *requests)]
    alone = [run(engine, request)[0].text() for request in requests[::5]]
    assert together[::5] == alone


def test_a_resumed_request_goes_on_exactly_where_it_was_cut(engine: TextGeneration) -> None:
    # An emoji and accents, so that some cuts are inside characters.
    request = generate("Repeat: naïve café 🤗🎉 漢字 naïve café 🤗🎉 漢字 naïve café", max_tokens=24)
    [whole] = run(engine, request)
    deltas = whole.deltas
    cuts = range(1, len(deltas))
    resumed = [generate(request.prompt, emitted=whole.tokens()[:cut], max_tokens=24) for cut in cuts]
    for cut, outcome in zip(cuts, run(engine, *resumed), strict=True):
        shown = "".join(delta.text for delta in deltas[:cut])
        assert shown + outcome.text() == whole.text()
        assert not any(isinstance(gain, Started) for gain in outcome.gains)


def test_a_resumed_request_that_had_ended_ends_at_once(engine: TextGeneration) -> None:
    [whole] = run(engine, generate(STORY, max_tokens=6))
    [outcome] = run(engine, generate(STORY, emitted=whole.tokens(), max_tokens=6))
    assert outcome.text() == ""
    assert outcome.last().finish_reason == "length"


def test_a_stop_string_over_several_tokens_is_never_shown(engine: TextGeneration) -> None:
    [whole] = run(engine, generate(STORY, max_tokens=32))
    middle = len(whole.text()) // 2
    stop = whole.text()[middle : middle + 12]
    [outcome] = run(engine, generate(STORY, max_tokens=32, stop=[stop]))
    assert outcome.text() == whole.text()[: whole.text().index(stop)]
    assert outcome.last().finish_reason == "stop"
    assert outcome.last().stop_reason == stop
    [included] = run(engine, generate(STORY, max_tokens=32, stop=[stop], include_stop=True))
    assert included.text() == outcome.text() + stop


def test_a_resume_remembers_what_could_become_a_stop_string(engine: TextGeneration) -> None:
    [whole] = run(engine, generate(STORY, max_tokens=24))
    stop = whole.text()[20:45]
    [stopped] = run(engine, generate(STORY, max_tokens=24, stop=[stop]))
    cuts = range(1, len(stopped.deltas))
    tokens = stopped.tokens()
    resumed = [generate(STORY, emitted=tokens[:cut], max_tokens=24, stop=[stop]) for cut in cuts]
    for cut, outcome in zip(cuts, run(engine, *resumed), strict=True):
        shown = "".join(delta.text for delta in stopped.deltas[:cut])
        assert shown + outcome.text() == stopped.text()


@pytest.mark.parametrize("begin", [2, 28, 60])
def test_a_stop_string_ends_a_text_only_after_its_minimum_however_it_was_cut(
    engine: TextGeneration, begin: int
) -> None:
    [whole] = run(engine, generate(STORY, max_tokens=24))
    asked: dict[str, Any] = {"max_tokens": 24, "min_tokens": 10, "stop": [whole.text()[begin : begin + 14]]}
    [once] = run(engine, generate(STORY, **asked))
    early = len("".join(delta.text for delta in whole.deltas[:9]))
    assert once.text() == (whole.text() if begin + 14 <= early else whole.text()[:begin])
    assert once.last().finish_reason == ("length" if begin + 14 <= early else "stop")
    cuts = range(1, len(once.deltas))
    resumed = [generate(STORY, emitted=once.tokens()[:cut], **asked) for cut in cuts]
    for cut, outcome in zip(cuts, run(engine, *resumed), strict=True):
        assert "".join(delta.text for delta in once.deltas[:cut]) + outcome.text() == once.text()
        assert outcome.last().finish_reason == once.last().finish_reason


@pytest.mark.parametrize("ignore_eos", [False, True])
def test_a_stop_token_that_is_the_last_allowed_one_is_named_too(engine: TextGeneration, ignore_eos: bool) -> None:
    [whole] = run(engine, generate(STORY, max_tokens=6))
    stop = whole.tokens()[-1]
    assert stop not in whole.tokens()[:-1]
    [outcome] = run(engine, generate(STORY, max_tokens=6, stop_token_ids=[stop], ignore_eos=ignore_eos))
    assert (outcome.last().finish_reason, outcome.last().stop_reason) == ("stop", stop)


@pytest.mark.parametrize(
    "extreme", [{"temperature": 1e-320}, {"temperature": 1e-40}, {"temperature": 1.0, "min_p": 1.0}]
)
def test_an_extreme_value_takes_the_likeliest_tokens(engine: TextGeneration, extreme: dict[str, Any]) -> None:
    [greedy, outcome] = run(engine, generate(STORY, max_tokens=6), generate(STORY, max_tokens=6, **extreme))
    assert outcome.tokens() == greedy.tokens()


def test_timings_of_a_resumed_request_count_from_its_first_new_token(engine: TextGeneration) -> None:
    sampling = Sampling(max_tokens=6, temperature=0)
    request = Generate(prompt=Text(STORY), sampling=sampling, timings=True, emitted=[28, 253], started=True)
    [outcome] = run(engine, request)
    [timings] = [gain for gain in outcome.gains if isinstance(gain, Timings)]
    assert timings.decode_ms > 0
    assert timings.tokens_per_second > 0


def test_a_text_over_the_context_is_counted_to_its_end(engine: TextGeneration) -> None:
    text = "One word more. " * 4_000
    [told] = run(engine, Tokenize(prompt=Text(text)))
    assert isinstance(told.gains[0], Tokenized)
    assert len(told.gains[0].ids) == 16_001
    with pytest.raises(RequestError) as refused:
        engine.add(0, generate(text))
    assert (refused.value.param, refused.value.code) == ("prompt", "context_length_exceeded")
    assert "16001" in refused.value.message


@pytest.mark.parametrize("asked", [{"n": 2}, {"n": 2, "best_of": 3}, {"n": 2, "use_beam_search": True}])
def test_no_tokens_and_an_echo_give_the_prompt_at_once(engine: TextGeneration, asked: dict[str, Any]) -> None:
    sampling = Sampling(max_tokens=0, **asked)
    prompts: list[Prompt] = [Text(STORY), Tokens([6403, 1980, 253, 655])]
    outcomes = run(engine, *(Generate(prompt=prompt, sampling=sampling, echo=True) for prompt in prompts), steps=2)
    for outcome, text in zip(outcomes, [STORY, "Once upon a time"], strict=True):
        started, *deltas, done = outcome.gains
        assert isinstance(started, Started)
        assert started.prompt_text == text
        assert deltas == [Delta(index, "", [], None, "length") for index in range(2)]
        assert done is DONE


def test_the_last_of_64_stop_strings_ends_a_text_and_is_never_shown(engine: TextGeneration) -> None:
    others = [f"{number} bottles of beer" for number in range(63)]
    [whole] = run(engine, generate(STORY, max_tokens=24))
    stop = whole.text()[30:42]
    [outcome] = run(engine, generate(STORY, max_tokens=24, stop=[*others, stop]))
    assert (outcome.text(), outcome.last().stop_reason) == (whole.text()[:30], stop)


def test_beams_keep_to_64_stop_strings_too(engine: TextGeneration) -> None:
    stops = [f"{number} bottles of beer" for number in range(63)] + ["e"]
    asked = generate(STORY, n=3, best_of=3, use_beam_search=True, max_tokens=12, temperature=None, stop=stops)
    [outcome] = run(engine, asked)
    assert not any("e" in outcome.text(index) for index in range(3))
    assert (outcome.last().finish_reason, outcome.last(0).stop_reason) == ("stop", "e")


def test_a_stop_token_ends_the_text_and_is_named(engine: TextGeneration) -> None:
    [whole] = run(engine, generate(STORY, max_tokens=16))
    tokens = whole.tokens()
    stop = tokens[5]
    first = tokens.index(stop)
    for ignore_eos in (False, True):
        [outcome] = run(engine, generate(STORY, max_tokens=16, stop_token_ids=[stop], ignore_eos=ignore_eos))
        assert outcome.tokens() == tokens[: first + 1]
        assert outcome.last().stop_reason == stop
        assert outcome.last().finish_reason == "stop"
        [shown] = run(engine, Detokenize(tokens[:first], skip_special_tokens=True))
        assert isinstance(shown.gains[0], Detokenized)
        assert outcome.text() == shown.gains[0].text


def test_the_end_token_counts_but_is_not_shown(engine: TextGeneration) -> None:
    prompt = "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
    [outcome] = run(engine, generate(prompt, max_tokens=60))
    assert outcome.last().finish_reason == "stop"
    assert outcome.last().stop_reason is None
    assert outcome.tokens()[-1] == 2
    assert "<|im_end|>" not in outcome.text()
    [shown] = run(engine, generate(prompt, max_tokens=60, skip_special_tokens=False))
    assert shown.text() == outcome.text() + "<|im_end|>"


def test_no_delta_splits_a_character(engine: TextGeneration) -> None:
    text = "🤗 héllo 漢字 👨‍👩‍👧"
    [encoded] = run(engine, Tokenize(prompt=Text(text)))
    assert isinstance(encoded.gains[0], Tokenized)
    ids = encoded.gains[0].ids
    assert len(ids) > len(text.split())
    request = generate("🤗🎉🤗🎉🤗🎉🤗🎉🤗🎉🤗🎉", max_tokens=24, ignore_eos=True)
    [outcome] = run(engine, request)
    assert all("\ufffd" not in delta.text for delta in outcome.deltas)
    assert any(not delta.text for delta in outcome.deltas), "no character took several tokens"
    [decoded] = run(engine, Detokenize(ids))
    assert isinstance(decoded.gains[0], Detokenized)
    assert decoded.gains[0].text == text


def test_the_same_seed_gives_the_same_text_and_another_one_does_not(engine: TextGeneration) -> None:
    def asked(seed: int | None) -> str:
        return run(engine, generate(STORY, temperature=1.0, seed=seed, max_tokens=16))[0].text()

    assert asked(7) == asked(7)
    assert asked(7) != asked(8)
    assert asked(None) != asked(None)


def test_a_seed_gives_the_same_text_alone_and_in_any_company(engine: TextGeneration) -> None:
    # To the last bit of their probabilities: the texts alone would be the same by luck.
    asked = [
        generate(f"Tell me story {seed} of the sea.", temperature=1.0, seed=seed, max_tokens=40, logprobs=True)
        for seed in range(3)
    ]
    others = [generate("A long letter about rain. " * (1 + 30 * (number % 3)), max_tokens=30) for number in range(8)]
    alone = [_bits(run(engine, request)[0]) for request in asked]
    assert [_bits(outcome) for outcome in run(engine, *asked, *others)[:3]] == alone
    assert [_bits(outcome) for outcome in run(engine, *others, *asked)[8:]] == alone


def _bits(outcome: Outcome) -> list[tuple[int, float]]:
    parts = [part.logprob for delta in outcome.deltas for part in delta.logprobs or []]
    return list(zip(outcome.tokens(), parts, strict=True))


def test_every_choice_streams_by_itself(engine: TextGeneration) -> None:
    [outcome] = run(engine, generate(STORY, n=3, temperature=1.0, seed=1, max_tokens=12, ignore_eos=True))
    assert {delta.index for delta in outcome.deltas} == {0, 1, 2}
    assert len({outcome.text(index) for index in range(3)}) == 3
    assert all(len(outcome.tokens(index)) == 12 for index in range(3))
    assert sum(delta.index == 0 for delta in outcome.deltas) > 6


def test_best_of_keeps_the_likeliest(engine: TextGeneration) -> None:
    [every] = run(engine, generate(STORY, n=4, temperature=1.0, seed=1, max_tokens=8, ignore_eos=True, logprobs=True))
    scores = {}
    for index in range(4):
        deltas = [delta for delta in every.deltas if delta.index == index]
        scores[every.text(index)] = sum(part.logprob for delta in deltas for part in delta.logprobs or [])
    [best] = run(engine, generate(STORY, best_of=4, temperature=1.0, seed=1, max_tokens=8, ignore_eos=True))
    assert len(best.deltas) == 1
    assert best.text() == max(scores, key=lambda text: scores[text])


def test_beams_come_at_the_end_likeliest_first(engine: TextGeneration) -> None:
    [outcome] = run(engine, generate(STORY, n=2, best_of=4, use_beam_search=True, max_tokens=8, temperature=None))
    assert [delta.index for delta in outcome.deltas] == [0, 1]
    assert all(delta.finish_reason for delta in outcome.deltas)
    assert outcome.text(0) != outcome.text(1)


def test_log_probabilities_belong_to_their_tokens(engine: TextGeneration) -> None:
    [outcome] = run(engine, generate(STORY, logprobs=True, max_tokens=8))
    for delta in outcome.deltas:
        assert delta.logprobs is not None
        assert len(delta.logprobs) == len(delta.tokens)
        assert all(part.logprob <= 0 for part in delta.logprobs)
    parts = [part for delta in outcome.deltas for part in delta.logprobs or []]
    assert bytes(byte for part in parts for byte in part.bytes).decode() == outcome.text()


def test_min_tokens_keeps_the_end_away(engine: TextGeneration) -> None:
    prompt = "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
    [outcome] = run(engine, generate(prompt, max_tokens=40, min_tokens=30))
    assert len(outcome.tokens()) >= 30


def test_a_final_message_is_continued(engine: TextGeneration) -> None:
    messages = [{"role": "user", "content": "Count."}, {"role": "assistant", "content": "One, two,"}]
    chat = Chat(messages, add_generation_prompt=False, continue_final_message=True)
    [outcome] = run(engine, Generate(prompt=chat, sampling=Sampling(max_tokens=4, temperature=0), echo=True))
    [started] = [gain for gain in outcome.gains if isinstance(gain, Started)]
    assert started.prompt_text is not None
    assert started.prompt_text.endswith("<|im_start|>assistant\nOne, two,")


def test_tokens_are_told_and_turned_back(engine: TextGeneration) -> None:
    [told, back] = run(engine, Tokenize(prompt=Text("Hello"), with_texts=True), Detokenize([19556]))
    assert isinstance(told.gains[0], Tokenized)
    assert told.gains[0].ids == [19556]
    assert told.gains[0].texts == ["Hello"]
    assert isinstance(back.gains[0], Detokenized)
    assert back.gains[0].text == "Hello"


@pytest.mark.parametrize(
    ("request_", "param", "words"),
    [
        (generate(STORY, max_tokens=9000), "max_tokens", "8192"),
        (generate(STORY, max_tokens=None, min_tokens=9000), "min_tokens", "8192"),
        (generate(Tokens([1, 70000])), "prompt[1]", "70000"),
        (generate(STORY, stop_token_ids=[-1]), "stop_token_ids[0]", "-1"),
        (generate(STORY, n=3, best_of=2), "best_of", "best_of"),
        (generate(STORY, use_beam_search=True, seed=1), "seed", "seed"),
        (generate(STORY, min_tokens=9, max_tokens=8), "min_tokens", "9"),
        (generate(STORY, temperature=1.0, top_p=0.0), "top_p", "top_p"),
        (generate(STORY, repetition_penalty=1e-40), "repetition_penalty", "0.01"),
        (generate(STORY, stop=[str(number) for number in range(65)]), "stop", "64"),
        (generate(STORY, max_tokens=-1), "max_tokens", "-1"),
        (generate(Text("def f(", suffix="return 1")), "suffix", "fill-in-the-middle"),
        (generate(Chat([{"role": "user"}])), "messages", "content"),
        (generate(Chat([], template_kwargs={"messages": []})), "chat_template_kwargs.messages", "messages"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_reason(
    engine: TextGeneration, request_: Generate, param: str, words: str
) -> None:
    with pytest.raises(RequestError) as refused:
        engine.add(0, request_)
    assert refused.value.param == param
    assert words in refused.value.message


def test_a_prompt_over_the_context_is_told_both_numbers(engine: TextGeneration) -> None:
    with pytest.raises(RequestError) as refused:
        engine.add(0, generate(Tokens([100] * 9000)))
    assert refused.value.code == "context_length_exceeded"
    assert "8192" in refused.value.message
    assert "9000" in refused.value.message


def test_an_engine_tells_what_it_is(engine: TextGeneration) -> None:
    info = engine.info()
    assert info.max_model_len == 8192
    assert info.device == "CPU"
    assert info.precision == "f32"
    assert info.slots > 256
    assert info.details["cache_tokens"] > 4_000
    assert info.details["cache_size_gb"] == pytest.approx(0.2, rel=0.02)


def test_an_answer_without_max_tokens_ends_by_itself(engine: TextGeneration) -> None:
    prompt = "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n"
    [outcome] = run(engine, generate(prompt, max_tokens=None))
    assert outcome.last().finish_reason == "stop"
    assert isinstance(outcome.deltas[0], Delta)


def test_markers_are_shown_and_other_special_tokens_are_not(engine: TextGeneration) -> None:
    ids = run(engine, Tokenize(prompt=Text("a<|im_start|>b<repo_name>c", add_special_tokens=False)))[0].gains[0]
    assert isinstance(ids, Tokenized)
    vocabulary = engine._vocabulary
    visible = vocabulary.special_ids(["<|im_start|>"])
    assert vocabulary.decode([ids.ids], True, visible) == ["a<|im_start|>bc"]


def test_a_marker_that_ends_the_answer_is_hidden(engine: TextGeneration) -> None:
    chat = Chat([{"role": "user", "content": "Say yes."}])
    request = Generate(prompt=chat, sampling=Sampling(max_tokens=64, temperature=0), markers=["<|im_end|>"])
    [outcome] = run(engine, request)
    assert outcome.last().finish_reason == "stop"
    assert "<|im_end|>" not in outcome.text()
    [resumed] = run(engine, msgspec.structs.replace(request, emitted=outcome.tokens()[:2]))
    assert outcome.text().endswith(resumed.text())


def test_the_server_is_told_how_the_model_speaks(engine: TextGeneration) -> None:
    details = engine.info().details
    assert msgspec.convert(details["speech"], SpeechProfile).format == "generic"
    assert msgspec.convert(details["grammar_limits"], Limits) == Limits()
    assert details["guided_tools"] is True
