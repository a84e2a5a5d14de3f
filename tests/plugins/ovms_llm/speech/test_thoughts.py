"""Thoughts are told from the answer, wherever the text is cut."""

from __future__ import annotations

import pytest
from tests.plugins.ovms_llm.speech.hearing import THINK, cuts

from ovms_llm.messages import Channel, Thinking
from ovms_llm.speech.parsing.thoughts import Thoughts


def _read(text: str, channel: Channel = "content", thinking: Thinking | None = THINK) -> tuple[str, str]:
    found = set()
    for pieces in cuts(text):
        thoughts = Thoughts(thinking, channel)
        words = [*(word for piece in pieces for word in thoughts.feed(piece)), *thoughts.finish()]
        found.add(
            tuple("".join(word.text for word in words if word.channel == each) for each in ("reasoning", "content"))
        )
    (thought, content), *others = found
    assert not others, found
    return thought, content


@pytest.mark.parametrize(
    ("text", "thought", "content"),
    [
        ("Plain.", "", "Plain."),
        ("\n\n  indented", "", "\n\n  indented"),
        ("<think>\nOne,\n\ntwo.\n</think>\n\nThree.\n", "One,\n\ntwo.", "Three.\n"),
        (" <think></think>Three.", "", "Three."),
        ("<think>\n\n</think>\n\nThree.", "", "Three."),
        ("<think>never ends </thin", "never ends </thin", ""),
        ("<think>a</think>\n<think>b</think>c", "ab", "c"),
        ("<think>a</think>the mark </think> is", "a", "the mark </think> is"),
        ("<think>a < b </ c</think>d", "a < b </ c", "d"),
        ("about <think> tags", "", "about <think> tags"),
        ("<thinly sliced>", "", "<thinly sliced>"),
        ("not opened</think>\n\nAnswer", "", "not openedAnswer"),
        ("<thi", "", "<thi"),
        ("   ", "", "   "),
    ],
)
def test_a_thought_stands_in_front_of_the_answer(text: str, thought: str, content: str) -> None:
    assert _read(text) == (thought, content)


@pytest.mark.parametrize(
    ("text", "thought", "content"),
    [
        ("\nOne.\n</think>\n\nTwo.", "One.", "Two."),
        ("<think>\nOne.</think>Two.", "One.", "Two."),
        ("</think>\n\nTwo.", "", "Two."),
        ("goes on", "goes on", ""),
        ("\n\n", "", ""),
    ],
)
def test_a_prompt_may_have_opened_the_thought(text: str, thought: str, content: str) -> None:
    assert _read(text, "reasoning") == (thought, content)


def test_other_marks_work_alike() -> None:
    assert _read("[THINK]hm[/THINK]Yes", thinking=Thinking("[THINK]", "[/THINK]")) == ("hm", "Yes")


def test_a_model_that_does_not_think_aloud_says_content() -> None:
    assert _read("<think>a</think>b", thinking=None) == ("", "<think>a</think>b")
