from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.plugins.ovms_sources.fake_hub import FakeHub

from ovms_core.models.reference import Reference
from ovms_core.models.repository import Repository
from ovms_core.plugin import FetchProgress, SourceError
from ovms_sources import HubSource

BIG = random.Random(0).randbytes(24 << 20)
IR = {
    "config.json": b'{"model_type": "qwen3"}',
    "openvino_model.xml": b"<net/>",
    "openvino_model.bin": BIG,
    "README.md": b"# a model",
    "modeling.py": b"raise SystemExit",
    "model.safetensors": b"not wanted",
}
SERVED = ["README.md", "config.json", "openvino_model.bin", "openvino_model.xml"]
FETCH = """
import sys
from pathlib import Path
from ovms_core.models.repository import Repository
from ovms_core.models.reference import Reference
from ovms_sources import HubSource
Repository(Path(sys.argv[1])).fetch(HubSource(), Reference("hf", "org/model"), offline=False, progress=lambda *_: None)
"""


def ignore(done: int, total: int | None) -> None: ...


def fetch(
    repository: Repository, name: str = "org/model", *, offline: bool = False, progress: FetchProgress = ignore
) -> Path:
    return repository.fetch(HubSource(), Reference("hf", name), offline=offline, progress=progress)


def names(path: Path) -> list[str]:
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


def stop_after(count: int) -> FetchProgress:
    def progress(done: int, total: int | None) -> None:
        if done >= count:
            raise KeyboardInterrupt

    return progress


def test_only_the_files_that_can_be_served_are_fetched(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    path = fetch(repository)
    assert names(path) == SERVED
    assert (path / "openvino_model.bin").read_bytes() == BIG
    assert "model.safetensors" not in hub.served


def test_progress_counts_up_to_the_whole(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    told: list[tuple[int, int | None]] = []
    fetch(repository, progress=lambda done, total: told.append((done, total)))
    whole = sum(len(IR[name]) for name in SERVED)
    assert told[-1] == (whole, whole)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_model_that_is_there_is_not_asked_for_again(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    path = fetch(repository)
    hub.requests.clear()
    assert fetch(repository) == path
    assert hub.requests == []


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    hub.drop_after["openvino_model.bin"] = [22 << 20]
    path = fetch(repository)
    assert (path / "openvino_model.bin").read_bytes() == BIG
    assert hub.served["openvino_model.bin"] < len(BIG) + (3 << 20)


def test_a_fetch_that_was_stopped_goes_on_where_it_stopped(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    with pytest.raises(KeyboardInterrupt):
        fetch(repository, progress=stop_after(20 << 20))
    assert repository.list() == []
    hub.served.clear()
    path = fetch(repository)
    assert (path / "openvino_model.bin").read_bytes() == BIG
    assert hub.served["openvino_model.bin"] <= len(BIG) - (10 << 20)
    assert "config.json" not in hub.served, "a file that was complete is not fetched again"
    assert names(path) == SERVED


def test_a_killed_fetch_leaves_no_half_model_and_the_next_goes_on(
    hub: FakeHub, repository: Repository, tmp_path: Path
) -> None:
    hub.models["org/model"] = IR
    hub.stall_after["openvino_model.bin"] = 21 << 20
    process = subprocess.Popen([sys.executable, "-c", FETCH, str(repository.root)])
    try:
        assert hub.stalled.wait(30)
    finally:
        process.kill()
        process.wait()
    assert repository.list() == []
    assert not repository.has(Reference("hf", "org/model"))
    hub.go_on.set()
    hub.served.clear()
    path = fetch(repository)
    assert (path / "openvino_model.bin").read_bytes() == BIG
    assert hub.served["openvino_model.bin"] <= len(BIG) - (10 << 20)


def test_two_processes_that_want_one_model_fetch_it_once(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    hub.stall_after["openvino_model.bin"] = 1 << 20
    processes = [subprocess.Popen([sys.executable, "-c", FETCH, str(repository.root)]) for _ in range(2)]
    assert hub.stalled.wait(30)
    hub.go_on.set()
    assert [process.wait(60) for process in processes] == [0, 0]
    assert hub.served["openvino_model.bin"] == len(BIG)
    assert names(repository.path_of(Reference("hf", "org/model"))) == SERVED


def test_a_part_of_an_older_revision_is_not_mixed_in(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR | {"old.json": b"{}", "config.json": b"{}"}
    with pytest.raises(KeyboardInterrupt):
        fetch(repository, progress=stop_after(20 << 20))
    newer = random.Random(1).randbytes(11 << 20)
    hub.models["org/model"] = IR | {"openvino_model.bin": newer}
    path = fetch(repository)
    assert (path / "openvino_model.bin").read_bytes() == newer
    assert (path / "config.json").read_bytes() == IR["config.json"]
    assert names(path) == SERVED


@pytest.mark.parametrize("name", ["openvino_model.bin", "config.json"])
def test_a_file_that_arrives_damaged_is_refused(name: str, hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    hub.corrupt.add(name)
    with pytest.raises(SourceError, match=f"{name} arrives damaged"):
        fetch(repository)
    assert repository.list() == []
    hub.corrupt.clear()
    assert names(fetch(repository)) == SERVED


def test_a_damaged_part_is_fetched_from_the_start(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    with pytest.raises(KeyboardInterrupt):
        fetch(repository, progress=stop_after(20 << 20))
    (part,) = (repository.root / ".partial").rglob(".incoming/*")
    with part.open("r+b") as file:
        file.write(b"damage")
    assert (fetch(repository) / "openvino_model.bin").read_bytes() == BIG


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (
            (401, {"X-Error-Code": "GatedRepo"}),
            "licence at https://huggingface.co/org/model, then set HF_TOKEN",
        ),
        ((403, {"X-Error-Code": "GatedRepo"}), "accept its licence"),
        ((403, {}), "the token may not read this model"),
        ((401, {}), "no such model, or it is private"),
        ((404, {"X-Error-Code": "RepoNotFound"}), "Check the spelling"),
        ((429, {}), "slow down"),
        ((503, {}), "the hub answered 503"),
    ],
)
def test_each_refusal_says_what_to_do(
    refusal: tuple[int, dict[str, str]], message: str, hub: FakeHub, repository: Repository
) -> None:
    hub.refusals["org/model"] = refusal
    with pytest.raises(SourceError, match=message) as caught:
        fetch(repository)
    assert caught.value.transient == (refusal[0] in {429, 503})


def test_a_token_that_the_hub_does_not_know_is_named_as_the_cause(
    hub: FakeHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_mistyped")
    hub.refusals["org/model"] = (401, {"X-Error-Message": "Invalid credentials in Authorization header"})
    with pytest.raises(SourceError, match="does not accept the token") as caught:
        fetch(repository)
    assert "hf_mistyped" not in str(caught.value)


def test_the_token_is_sent_when_there_is_one(
    hub: FakeHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["org/model"] = IR
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(repository)
    assert set(hub.tokens) == {"Bearer hf_secret"}


def test_a_token_that_cannot_be_read_is_not_sent(
    hub: FakeHub, repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path))  # a folder
    hub.models["org/model"] = IR
    fetch(repository)
    assert set(hub.tokens) == {None}
    hub.refusals["org/other"] = (401, {})
    with pytest.raises(SourceError, match="there is no such model, or it is private"):
        fetch(repository, "org/other")


def test_a_revision_can_be_named_and_must_exist(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    assert names(fetch(repository, f"org/model@{hub.sha('org/model')}")) == SERVED
    with pytest.raises(SourceError, match="no revision 'v2'"):
        fetch(repository, "org/model@v2")


def test_a_hub_that_cannot_be_reached_says_what_to_check(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match=r"cannot be reached .* check the network, the proxy") as caught:
        fetch(repository)
    assert caught.value.transient


def test_the_choice_of_a_quantisation_is_said(
    hub: FakeHub, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    hub.models["org/model"] = {f"m-{quant}.gguf": quant.encode() for quant in ("Q8_0", "Q4_K_M")}
    with caplog.at_level(logging.INFO, logger="ovms.sources"):
        assert names(fetch(repository)) == ["m-Q4_K_M.gguf"]
    assert "chose m-Q4_K_M.gguf" in caplog.text
    assert names(fetch(repository, "org/model:Q8_0")) == ["m-Q8_0.gguf"]
    assert names(fetch(repository, "org/model/m-Q8_0.gguf")) == ["m-Q8_0.gguf"]


@pytest.mark.parametrize("name", ["model", "org/", "org/model@", "org/model:a:b", "../model", "org/mod el"])
def test_what_is_no_hub_name_is_refused_before_the_network(name: str) -> None:
    with pytest.raises(SourceError, match="write hf:org/name"):
        HubSource().locate(name)


def test_a_model_that_does_not_fit_on_the_disk_is_refused_before_it_is_fetched(
    hub: FakeHub, repository: Repository
) -> None:
    hub.models["org/model"] = IR
    hub.claimed_sizes["openvino_model.bin"] = 10**18
    with pytest.raises(SourceError, match=r"needs 1000000000\.\d GB more"):
        fetch(repository)
    assert hub.served == {}


def test_a_file_too_large_for_plain_http_names_the_command_that_can(
    hub: FakeHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["org/model"] = IR
    monkeypatch.setattr("huggingface_hub.constants.MAX_HTTP_DOWNLOAD_SIZE", len(BIG) - 1)
    with pytest.raises(SourceError, match="hf download ORG/NAME --local-dir FOLDER"):
        fetch(repository)


def test_a_file_name_that_leads_out_of_the_folder_is_refused(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR | {"../evil.json": b"{}"}
    with pytest.raises(SourceError, match="leads out of the model's folder"):
        fetch(repository)


def test_offline_nothing_is_asked_of_the_network(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    with pytest.raises(SourceError, match=r"the server is offline: run 'ovms pull hf:org/model' while online"):
        fetch(repository, offline=True)
    assert hub.requests == []


@pytest.mark.parametrize("patterns", [None, ["*.json", "*.md", "openvino*"]])
def test_offline_a_model_in_the_hubs_own_cache_is_used(
    patterns: list[str] | None, hub: FakeHub, tmp_path: Path
) -> None:
    ended = fetch_from_cache(hub, tmp_path, patterns)
    assert ended.stdout.split() == SERVED


def test_offline_half_a_model_in_the_hubs_own_cache_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    ended = fetch_from_cache(hub, tmp_path, ["*.json", "*.xml"])
    assert "the model is not complete on this machine" in ended.stderr


def fetch_from_cache(hub: FakeHub, tmp_path: Path, patterns: list[str] | None) -> subprocess.CompletedProcess[str]:
    """In a process of its own, because huggingface_hub reads where its cache is when it is imported."""
    hub.models["org/model"] = {**IR, "openvino_model.bin": b"small"}
    script = f"""
from huggingface_hub import snapshot_download
snapshot_download("org/model", allow_patterns={patterns!r})
from pathlib import Path
from ovms_core.models.repository import Repository
from ovms_core.models.reference import Reference
from ovms_sources import HubSource
path = Repository(Path({str(tmp_path / "repository")!r})).fetch(
    HubSource(), Reference("hf", "org/model"), offline=True, progress=lambda *_: None)
print(*sorted(each.name for each in path.iterdir()))
"""
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)


def test_the_hubs_own_offline_switch_is_honoured(hub: FakeHub, repository: Repository) -> None:
    hub.models["org/model"] = IR
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(repository.root)}
    command = [sys.executable, "-c", FETCH, str(repository.root)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode
    assert "the server is offline" in ended.stderr
    assert hub.requests == []
