"""The real engine, with a way to give it a grammar that does not compile, past the compiler that would refuse it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from unittest.mock import patch

from openvino_genai import GenerationConfig, StructuredOutputConfig

import ovms_llm.engine.intake
from ovms_llm.engine.plan import Plan, plan
from ovms_llm.engine.text_generation import TextGeneration

MARK = "BAD GRAMMAR"


class _BadPlan(Plan):
    def config(self, emitted: int = 0, index: int = 0, grammar: str | None = None) -> GenerationConfig:
        config = super().config(emitted, index, grammar)
        config.structured_output_config = StructuredOutputConfig(json_schema="{this is no schema")
        return config


def _bad_plan(*arguments: Any) -> Plan:
    good = plan(*arguments)
    return _BadPlan(**{field.name: getattr(good, field.name) for field in fields(good)})


class GrammarEngine(TextGeneration):
    """Gives every request whose prompt holds `MARK` a grammar that GenAI accepts and then fails on in `step`."""

    def add(self, id: int, request: Any) -> None:
        if MARK not in repr(request):
            super().add(id, request)
            return
        with patch.object(ovms_llm.engine.intake, "plan", _bad_plan):
            super().add(id, request)
