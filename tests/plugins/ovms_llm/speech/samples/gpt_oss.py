"""As gpt-oss writes: the examples of Harmony's documentation, and what stands between them."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

CALL = "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>"

SAMPLES = (
    Sample("<|channel|>final<|message|>2 + 2 = 4.", "2 + 2 = 4.", guided=True),
    Sample('{"plain": "as a grammar makes it"}', '{"plain": "as a grammar makes it"}', guided=True),
    Sample(
        "<|channel|>analysis<|message|>User asks: simple.<|end|><|start|>assistant<|channel|>final<|message|>Four < 5.",
        said="Four < 5.",
        thought="User asks: simple.",
        guided=True,
    ),
    Sample(
        f"<|channel|>analysis<|message|>Need to call.<|end|><|start|>assistant{CALL}"
        '{"city":"Zürich \\"🌧\\""}<|call|>',
        thought="Need to call.",
        calls=[("get_weather", {"city": 'Zürich "🌧"'})],
        guided=True,
    ),
    Sample(f'{CALL}{{"city": "Paris", "days": 3}}', calls=[("get_weather", {"city": "Paris", "days": 3})], guided=True),
    Sample(
        ' to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>{"city": "Oslo"}',
        calls=[("get_weather", {"city": "Oslo"})],
        guided=True,
    ),
    Sample(
        "<|channel|>analysis<|message|>Plan.<|end|><|start|>assistant<|channel|>commentary<|message|>**Action plan**:\n"
        "1. Look<|end|><|start|>assistant to=functions.now<|channel|>commentary json<|message|>{}",
        said="**Action plan**:\n1. Look",
        thought="Plan.",
        calls=[("now", {})],
        guided=True,
    ),
    Sample(
        "<|channel|>commentary<|message|>One moment.<|end|><|start|>assistant<|channel|>analysis<|message|>Hm.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Done.<|return|>",
        said="One moment.Done.",
        thought="Hm.",
    ),
    Sample(
        "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}<|call|><|start|>assistant"
        '<|channel|>commentary to=functions.search <|constrain|>json<|message|>{"a": [{"b": "}<|call|>"}]}<|call|>',
        calls=[("now", {}), ("search", {"a": [{"b": "}<|call|>"}]})],
        guided=True,
    ),
    Sample(f'{CALL}{{"city": }}<|call|>', said='{"city": }', malformed=True),
    Sample("<|channel|>commentary to=browser.open code<|message|>{}", said="{}", malformed=True),
    Sample("<|channel|>analysis<|message|>Never ends", thought="Never ends", finish_reason="length"),
    Sample(f'{CALL}{{"city": "Par', said='{"city": "Par', finish_reason="length"),
    Sample("<|channel|>fin", finish_reason="length"),
)
