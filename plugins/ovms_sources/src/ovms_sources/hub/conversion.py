"""PyTorch weights into OpenVINO IR, by optimum-intel where it is installed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ovms_core.plugin import FetchProgress, SourceError
from ovms_sources.command import Finished, run

_OUTPUT = ".converted"


def convert(repository: str, into: Path, *, revision: str | None, progress: FetchProgress) -> None:
    """Run ``optimum-cli export openvino`` and put its result into `into`. Raises `SourceError`."""
    command = _command()
    if command is None:
        raise SourceError(_how_to_convert(repository))
    if revision:
        raise SourceError(
            f"hf:{repository}@{revision} has PyTorch weights only, and only the newest revision can be converted: "
            f"drop '@{revision}', or convert the revision yourself and serve the folder."
        )
    output = into / _OUTPUT
    shutil.rmtree(output, ignore_errors=True)
    arguments = [command, "export", "openvino", "--model", repository, str(output)]
    finished = run(arguments, lambda: progress(_size(output), None))
    if finished.status or not any(output.rglob("*.xml")):
        raise SourceError(_failure(repository, arguments, finished))
    for path in output.iterdir():
        path.replace(into / path.name)
    output.rmdir()


def _command() -> str | None:
    """The program beside this Python, which need not be on PATH, else the one on PATH."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("optimum-cli", path=os.pathsep.join([os.environ.get("PATH", os.defpath), beside]))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _how_to_convert(repository: str) -> str:
    name = repository.rpartition("/")[2]
    return (
        f"hf:{repository} has PyTorch weights only; they must be converted to OpenVINO IR once. "
        f'Run: pip install "ovms-sources[export]" and then: ovms pull hf:{repository}\n'
        f"Or convert it elsewhere (optimum-cli export openvino --model {repository} {name}-ov) and serve ./{name}-ov. "
        "Many models are there already converted: https://huggingface.co/OpenVINO"
    )


def _failure(repository: str, arguments: list[str], finished: Finished) -> str:
    shown = " ".join(["optimum-cli", *arguments[1:-1], "OUTPUT"])
    return (
        f"hf:{repository} could not be converted ({shown}: exit status {finished.status}). It said: "
        f"{finished.summary()} A model that names no task needs --task: run the command yourself and serve its folder."
    )
