"""As Granite 4 writes, by its chat template."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.hearing import Sample

CALL = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'

SAMPLES = (
    Sample("Plain.", "Plain."),
    Sample(f"{CALL}\n{CALL}", calls=[("now", {}), ("now", {})], guided=True),
)
