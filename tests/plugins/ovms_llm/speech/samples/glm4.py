"""As GLM-4 writes, by its chat template."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

SAMPLES = (
    Sample("Now is the time.\nnow\nor never", "Now is the time.\nnow\nor never"),
    Sample("now", "now"),
    Sample('get_weather\n{"city": "北京"}', calls=[("get_weather", {"city": "北京"})], guided=True),
    Sample(
        'I look.\nget_weather\n{"city": "Rome"}\nnow\n{}',
        said="I look.",
        calls=[("get_weather", {"city": "Rome"}), ("now", {})],
        guided=True,
    ),
    Sample("now\n{}", calls=[("now", {})], guided=True),
    Sample("\nnow\n{} Done.", said="Done.", calls=[("now", {})]),
    Sample("now\n{,} Done.", said="now\n{,} Done.", malformed=True),
    Sample('now\n{"a', said='now\n{"a', finish_reason="length"),
)
