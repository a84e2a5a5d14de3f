"""As Granite 3.2 writes, by its chat template."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

SAMPLES = (
    Sample("Here is my answer.", "Here is my answer."),
    Sample(
        "Here is my thought process:\n\nThe user asks.\n\nHere is my response:\n\nYes.",
        said="Yes.",
        thought="The user asks.",
        guided=True,
    ),
    Sample(
        'Here is my thought process: Hm. Here is my response: <|tool_call|>[{"name": "now", "arguments": {}}]',
        thought="Hm.",
        calls=[("now", {})],
        guided=True,
    ),
)
