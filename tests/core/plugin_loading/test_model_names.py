"""A plugin's settings name a model: whether it is served is checked when the server starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.core.support import plugin

from ovms_core.app import Application, create_app
from ovms_core.configuration import ConfigurationError, read_settings
from ovms_core.plugin import ModelName
from ovms_core.testing import app_with


class AskSettings(BaseModel):
    reranker: ModelName | None = None
    others: list[ModelName] = []


ASK = plugin("ask", ovms_settings=lambda: AskSettings)
MODELS = "models: [{source: org/first, aliases: [short]}, {name: second, source: org/second}]\n"


def served(folder: Path, text: str) -> Application:
    (folder / "ovms.yaml").write_text(text)
    return create_app(read_settings(environ={}, directory=folder), plugins=[ASK])


def test_names_and_aliases_of_models_are_taken(tmp_path: Path) -> None:
    app = served(tmp_path, MODELS + "plugins: {ask: {reranker: short, others: [first, second]}}\n")
    assert app.server.settings.plugin(AskSettings).reranker == "short"


def test_a_name_that_no_model_has_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        served(tmp_path, MODELS + "plugins:\n  ask:\n    reranker: nope\n    others: [secnd]\n")
    assert str(caught.value).splitlines() == [
        "ovms.yaml, line 4: 'plugins.ask.reranker' is 'nope', which no model is called. "
        "Served are: first, short, second.",
        "ovms.yaml, line 5: 'plugins.ask.others[0]' is 'secnd', which no model is called. "
        "Served are: first, short, second. Did you mean 'second'?",
    ]


def test_a_name_that_a_model_may_still_bring_is_a_warning(tmp_path: Path) -> None:
    models = "models: [{source: org/first, options: {adapters: {tuned: /here}}}]\n"
    app = served(tmp_path, models + "plugins: {ask: {reranker: tuned}}\n")
    (warning,) = next(report for report in app.server.plugins if report.name == "ask").warnings
    assert "'plugins.ask.reranker' is 'tuned', which no model is called." in warning


def test_a_server_without_models_in_its_settings_checks_no_name() -> None:
    app = app_with(ASK, plugins={"ask": {"reranker": "nope"}})
    assert app.server.settings.plugin(AskSettings).reranker == "nope"
