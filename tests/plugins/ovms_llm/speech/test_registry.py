"""Which formats there are."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ovms_llm.speech import registry
from ovms_llm.speech.formats.hermes import Hermes


class Parrot(Hermes):
    name = "parrot"


class SecondHermes(Hermes):
    """Of the same name."""


class Entry:
    """An entry point of a package that is installed."""

    dist = SimpleNamespace(name="ovms-parrots")

    def __init__(self, value: Any) -> None:
        self.name = "parrot"
        self.value = f"parrots:{value}"
        self._value = value

    def load(self) -> Any:
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    registry.formats.cache_clear()
    yield
    registry.formats.cache_clear()


def _install(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry(value)] if group == registry.GROUP else [])


def test_another_packages_format_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, Parrot)
    assert next(iter(registry.formats())) == "parrot"
    assert "hermes" in registry.formats()


@pytest.mark.parametrize("value", [ImportError("no feathers"), dict, 3])
def test_a_format_that_cannot_be_loaded_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    _install(monkeypatch, value)
    with caplog.at_level(logging.WARNING):
        assert "parrot" not in registry.formats()
    assert "speech format 'parrot'" in caplog.text


def test_two_formats_of_one_name_are_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, SecondHermes)
    with pytest.raises(ValueError, match=r"ovms-parrots and ovms_llm\.speech\.formats\.hermes:Hermes"):
        registry.formats()


def test_the_generic_format_is_the_last_resort() -> None:
    assert list(registry.formats())[-1] == "generic"
