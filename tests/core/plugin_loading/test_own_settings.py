"""Plugins' own settings: declared by a class, written in ``plugins.NAME``, checked like every other setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr
from tests.core.support import plugin

from ovms_core.configuration import ConfigurationError, read_settings
from ovms_core.errors import PluginError
from ovms_core.plugin import Settings
from ovms_core.plugin_loading.host import PluginHost
from ovms_core.plugin_loading.loader import load_plugins, name_of
from ovms_core.plugin_loading.own_settings import with_plugin_settings
from ovms_core.testing import app_with


class Store(BaseModel):
    path: str | None = None
    tags: list[str] = []


class NotesSettings(BaseModel):
    limit: int = Field(default=10, ge=1)
    key: SecretStr | None = None
    store: Store = Store()


def notes(name: str = "notes", cls: Any = NotesSettings) -> object:
    return plugin(name, ovms_settings=lambda: cls)


def checked(settings: Settings, *plugins: object) -> Settings:
    return with_plugin_settings(host_of(*plugins or (notes(),)), settings)


def host_of(*plugins: object) -> PluginHost:
    return load_plugins(Settings().plugins, list(plugins))


def read(folder: Path, text: str = "", **environ: str) -> Settings:
    (folder / "ovms.yaml").write_text(text)
    return read_settings(environ=environ, directory=folder)


def configured(sections: dict[str, Any]) -> Settings:
    return Settings.model_validate({"plugins": sections})


def problem(settings: Settings, *plugins: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        checked(settings, *plugins)
    return str(caught.value)


def test_a_plugin_that_is_not_configured_gets_its_defaults() -> None:
    assert checked(Settings()).plugin(NotesSettings) == NotesSettings()


def test_a_section_is_read_from_the_file(tmp_path: Path) -> None:
    settings = read(
        tmp_path, "plugins:\n  notes:\n    limit: 3\n    store: {path: /here, tags: [a]}\n  block: [other]\n"
    )
    found = checked(settings).plugin(NotesSettings)
    assert (found.limit, found.store) == (3, Store(path="/here", tags=["a"]))
    assert settings.plugins.block == ["other"]


def test_the_environment_is_stronger_key_by_key(tmp_path: Path) -> None:
    text = "plugins: {notes: {limit: 3, store: {path: /here}}}\n"
    settings = read(tmp_path, text, OVMS_PLUGINS__NOTES__LIMIT="4", OVMS_PLUGINS__NOTES__STORE__TAGS="a, b")
    found = checked(settings).plugin(NotesSettings)
    assert (found.limit, found.store) == (4, Store(path="/here", tags=["a", "b"]))


@pytest.mark.parametrize("text", ["", "plugins: {my-notes: {limit: 3}}\n"], ids=["alone", "over the file"])
def test_a_dash_in_a_name_is_an_underscore_in_the_environment(tmp_path: Path, text: str) -> None:
    settings = read(tmp_path, text, OVMS_PLUGINS__MY_NOTES__STORE="{path: /there}")
    assert checked(settings, notes("my-notes")).plugin(NotesSettings).store.path == "/there"


def test_a_whole_section_and_a_part_of_it_cannot_both_be_variables(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="OVMS_PLUGINS__NOTES__STORE and a variable for a part of it are both set"
    ):
        read(tmp_path, OVMS_PLUGINS__NOTES__STORE="{}", OVMS_PLUGINS__NOTES__STORE__PATH="/a")


def test_every_wrong_setting_is_told_with_its_place_and_what_is_right(tmp_path: Path) -> None:
    text = "plugins:\n  notes:\n    limt: 3\n    store:\n      pth: /here\n"
    settings = read(tmp_path, text, OVMS_PLUGINS__NOTES__LIMIT="many")
    assert problem(settings).splitlines() == [
        "OVMS_PLUGINS__NOTES__LIMIT: 'plugins.notes.limit' must be an integer, not 'many'.",
        "ovms.yaml, line 5: 'plugins.notes.store.pth' is not a setting. Did you mean 'path'?",
        "ovms.yaml, line 3: 'plugins.notes.limt' is not a setting. Did you mean 'limit'?",
    ]


def test_a_setting_that_must_be_given_is_asked_for() -> None:
    class Needy(BaseModel):
        url: str

    assert problem(Settings(), notes(cls=Needy)) == "'plugins.notes.url' is required."


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("nots: {}", "and no plugin has that name. Installed: core, notes, plain. Did you mean 'notes'?"),
        ("plain: {limit: 3}", "'plugins.plain' is not a setting: the plugin 'plain' has no settings of its own."),
        ("requird: {llm: true}", "Did you mean 'required'?"),
    ],
)
def test_a_section_of_nobody_is_an_error(tmp_path: Path, section: str, message: str) -> None:
    said = problem(read(tmp_path, f"plugins:\n  {section}\n"), notes(), plugin("plain", ovms_observe=lambda: None))
    assert said.startswith("ovms.yaml, line 2: ")
    assert message in said


def test_what_is_no_section_is_refused_before_any_plugin_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"line 1: 'plugins.alow' is not a setting. Did you mean 'allow'\?"):
        read(tmp_path, "plugins: {alow: [a]}\n")


@pytest.mark.parametrize(("value", "what"), [("[x]", "a list"), ("3", "3"), ("text", "'text'")])
def test_a_section_must_be_a_mapping(tmp_path: Path, value: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, f"plugins:\n  notes: {value}\n")
    assert str(caught.value) == f"ovms.yaml, line 2: 'plugins.notes' must be a mapping of settings, not {what}."


def test_the_section_of_a_plugin_that_is_set_aside_waits_for_it() -> None:
    broken = plugin("broken", ovms_settings=lambda: 1 / 0)
    assert checked(configured({"broken": {"any": 1}}), broken, notes()).plugin(NotesSettings).limit == 10


@pytest.mark.parametrize(
    ("name", "cls", "reason"),
    [
        ("notes", NotesSettings(), "return the class NotesSettings itself"),
        ("notes", dict, "the class dict, where a class derived from pydantic's BaseModel belongs: it does not"),
        ("order", NotesSettings, "'plugins.order' is a setting of the server: call the plugin something else"),
    ],
)
def test_a_declaration_that_cannot_work_quarantines_its_plugin(name: str, cls: Any, reason: str) -> None:
    host = host_of(notes(name, cls))
    with_plugin_settings(host, Settings())
    assert host.reports[name].state == "quarantined"
    assert reason in host.reports[name].reason


def test_two_plugins_cannot_share_a_class() -> None:
    with pytest.raises(PluginError, match="'a' and 'b' both return NotesSettings from ovms_settings"):
        checked(Settings(), notes("a"), notes("b"))


def test_a_class_that_nobody_declares_is_refused_with_what_to_do() -> None:
    with pytest.raises(LookupError, match=r"Store is not the class .* ovms_settings, or ask for one of NotesSettings"):
        checked(Settings()).plugin(Store)


def test_every_hook_and_handler_gets_them() -> None:
    seen: list[int] = []

    def ask(settings: Settings) -> list[Any]:
        seen.append(settings.plugin(NotesSettings).limit)
        return []

    asking = dict.fromkeys(("ovms_register_endpoints", "ovms_register_routes"), ask)
    app = app_with(notes(), plugin("asking", **asking), plugins={"notes": {"limit": 3}})
    assert seen == [3] * len(asking)
    assert app.server.settings.plugin(NotesSettings).limit == 3


def test_a_secret_is_not_shown() -> None:
    settings = checked(configured({"notes": {"key": "hush"}}))
    assert "hush" not in repr(settings.plugin(NotesSettings))


class Account(BaseModel):
    token: SecretStr = Field(default=SecretStr(""), alias="api-token")
    spare: list[SecretStr] | None = None


class AccountSettings(BaseModel):
    accounts: dict[str, Account] = {}
    pin: SecretStr = SecretStr("")


@pytest.mark.parametrize(
    "section",
    [
        {"pin": 271828},
        {"pin": ["271828"]},
        {"accounts": {"a": {"api-token": 271828}}},
        {"accounts": {"a": {"spare": [271828]}}},
        {"accounts": {"a": {"spare": 271828}}},
    ],
    ids=str,
)
def test_a_secret_of_a_wrong_type_is_not_shown(section: dict[str, Any]) -> None:
    told = problem(configured({"notes": section}), notes(cls=AccountSettings))
    assert "'plugins.notes." in told
    assert "271828" not in told


def test_the_module_of_a_plugin_gives_it_the_name_that_its_entry_point_has() -> None:
    assert {name_of(plugin(name)) for name in ("ovms_my_notes.hooks", "ovms_my_notes", "my-notes")} == {"my-notes"}
