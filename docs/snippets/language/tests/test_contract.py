"""The tests that every endpoint must pass."""

from pathlib import Path
from typing import ClassVar

from ovms_language import hooks

from ovms_core.plugin import ModelSettings
from ovms_core.testing import EndpointContract

MODEL = Path(__file__).with_name("words")


class TestLanguageContract(EndpointContract):
    plugin = hooks
    models = (ModelSettings(name="words", source=str(MODEL)),)
    valid_body: ClassVar = {"input": ["the sky is blue"]}
