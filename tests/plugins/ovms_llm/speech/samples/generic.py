"""As models answer that the server tells of functions in its own words."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.samples.hermes import SAMPLES as HERMES

SAMPLES = HERMES
