"""As Devstral, Magistral and Ministral 3 write."""

from __future__ import annotations

from tests.plugins.ovms_llm.speech.samples.mistral import NAMED as SAMPLES

__all__ = ["SAMPLES"]
