"""Users as containers have them: a mere number, without a home folder, where little or nothing can be written."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

USER = 12345

PLUGIN = """
    from pathlib import Path
    from ovms_core.testing.scripted_engine import ScriptedEngine
    from ovms_core.hookspecs import hookimpl
    from ovms_core.testing.scripted import TASK, scripted_plugin
    from dataclasses import replace

    class Engine(ScriptedEngine):
        def __init__(self, model):
            Path.home()  # as OpenVINO does when it is imported
            (Path(model.work_dir) / "derived").touch()
            super().__init__(model)

    class Share:
        scheme = "share"

        def locate(self, name):
            return None

        def fetch(self, name, into, *, offline, progress):
            (into / "script.json").touch()

        def offers(self):
            return ()

    @hookimpl
    def ovms_register_sources():
        return [Share()]

    @hookimpl
    def ovms_register_tasks():
        return [replace(TASK, engine="number_plugin:Engine")]

    ovms_register_endpoints = scripted_plugin.ovms_register_endpoints
"""

AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
READ_EVERYTHING = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
"""Python and this project may lie where only root may look; the user may still write nothing of it."""

READ_ONLY = """
new=$0 volume=$1
mount --make-rprivate / && mount --rbind / "$new" && mount -o remount,bind,ro "$new" || exit 1
for folder in "$new/tmp" "$new/var/tmp"; do
    mount --bind "$folder" "$folder" && mount -o remount,bind,ro "$folder" || exit 1
done
[ -z "$volume" ] || mount -t tmpfs -o uid=12345,mode=755 volume "$new$volume" || exit 1
shift
exec chroot "$new" "$@"
"""
"""Runs a command where nothing can be written but a volume, if there is one. Arguments: an empty folder, the volume."""


def works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_users = pytest.mark.skipif(
    not works(*AS_USER, *READ_EVERYTHING, sys.executable, "-c", ""), reason="cannot run as another user here"
)
needs_mounts = pytest.mark.skipif(
    not works("unshare", "-m", "sh", "-c", "mount --make-rprivate / && mount --rbind / /mnt"),
    reason="cannot mount anything here",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plugin is installed."""
    site = tmp_path_factory.mktemp("site")
    (site / "number-0.1.dist-info").mkdir()
    (site / "model").mkdir()
    (site / "model" / "script.json").touch()
    (site / "number_plugin.py").write_text(textwrap.dedent(PLUGIN))
    (site / "number-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: number\nVersion: 0.1\n")
    (site / "number-0.1.dist-info" / "entry_points.txt").write_text("[ovms]\nnumber = number_plugin\n")
    return site


@contextlib.contextmanager
def serving(site: Path, *before: str, **environment: str) -> Iterator[tuple[str, Path]]:
    """``ovms serve`` as the user, after the words `before`; gives its URL and the file with its log."""
    path = os.pathsep.join([str(site), *(each for each in sys.path if each)])
    kept = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": path,
        "OVMS_PLUGINS__ALLOW": "number,sources",
        "OVMS_PORT": "0",
    }
    words = ["-m", "ovms_core.cli", "serve", "chat=share:small", "hf:org/name", f"local={site / 'model'}", "--offline"]
    command = [*before, *AS_USER, *READ_EVERYTHING, sys.executable, "-P", "-u", *words]
    log = site / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, cwd="/", env=kept | environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("Serving at ")), None)
        assert line is not None, log.read_text()
        yield line.split()[2].rstrip("."), log
    finally:
        process.terminate()
        process.communicate(timeout=20)


def ready(url: str) -> str:
    """What readiness says of the models that are not."""
    return str(httpx.get(f"{url}/v2/health/ready").json()["error"]["message"])


def assert_serves(url: str) -> None:
    answer = httpx.post(f"{url}/v1/script", json={"model": "chat", "count": 1}, timeout=30)
    assert answer.json() == {"text": "w0 "}


@needs_users
@pytest.mark.parametrize("home", ["/", None, "{}/of-another"])
def test_a_user_without_a_home_folder_is_served(site: Path, tmp_path: Path, home: str | None) -> None:
    folder, another = tmp_path / "temporary", tmp_path / "of-another"
    for each in (folder, another):
        each.mkdir()
    shutil.chown(folder, USER, USER)
    environment = {} if home is None else {"HOME": home.format(tmp_path)}
    with serving(site, TMPDIR=str(folder), **environment) as (url, log):
        assert_serves(url)
        message = ready(url)
        assert "run 'ovms pull hf:org/name' while online" in message
        assert str(tmp_path) not in message
    repository = folder / f"ovms-{USER}" / "models"
    assert f"models are kept in {repository}" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert (repository / "share" / "small" / "script.json").is_file()
    assert repository.parent.stat().st_mode & 0o077 == 0


@needs_users
@needs_mounts
@pytest.mark.parametrize("volume", ["/mnt", ""])
def test_a_root_that_is_read_only_is_served_from_a_volume_or_says_what_is_missing(
    site: Path, tmp_path: Path, volume: str
) -> None:
    new = ["unshare", "-m", "sh", "-c", READ_ONLY, str(tmp_path), volume]
    with serving(site, *new, HOME="/", OVMS_MODEL_REPOSITORY="/mnt/models") as (url, log):
        if volume:
            assert_serves(url)
        else:
            message = ready(url)
            assert "chat (failed: The model repository …/models cannot be used by this user (Read-only" in message
            assert "local (failed: There is no folder to work in" in message
            assert "'--tmpfs /tmp' or a volume" in message
    assert "Traceback" not in log.read_text()
