"""The command ``ovms image``."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
import typer
from PIL import Image
from tests.plugins.ovms_imagegen.conftest import Drawing, Served, as_file, last_file
from typer.testing import CliRunner

from ovms_core.client.frames import parse_frames
from ovms_core.command import ServerError
from ovms_imagegen.command.blocks import half_blocks
from ovms_imagegen.command.image import register
from ovms_imagegen.command.stream_client import parse

PROMPT = "a red circle on a blue background"


@pytest.fixture
def cli() -> typer.Typer:
    cli = typer.Typer()
    cli.callback()(lambda: None)
    register(cli)
    return cli


@pytest.mark.real
def test_the_command_writes_the_picture(cli: typer.Typer, served: Served, tmp_path: Path, draw: Drawing) -> None:
    file = tmp_path / "out.png"
    done = CliRunner().invoke(cli, ["image", PROMPT, "-o", str(file), "--url", served.url, "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert f"{file} (128x128, seed 3)" in done.output.replace("\n", "")
    assert file.read_bytes() == last_file(draw(PROMPT, seed=3))


@pytest.mark.real
def test_several_pictures_are_numbered(cli: typer.Typer, served: Served, tmp_path: Path) -> None:
    arguments = ["image", PROMPT, "-o", str(tmp_path / "out.jpg"), "--url", served.url, "-n", "2", "--steps", "2"]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out-1.jpg", "out-2.jpg"]
    with Image.open(tmp_path / "out-1.jpg") as picture:
        assert picture.format == "JPEG"


@pytest.mark.real
def test_the_servers_reason_is_told(cli: typer.Typer, served: Served, tmp_path: Path) -> None:
    arguments = ["image", PROMPT, "-o", str(tmp_path / "out.png"), "--url", served.url, "--steps", "101"]
    done = CliRunner().invoke(cli, arguments)
    assert isinstance(done.exception, ServerError)
    assert "at most 100" in str(done.exception)


def test_without_a_server_the_command_says_how_to_start_one(cli: typer.Typer, tmp_path: Path) -> None:
    arguments = ["image", PROMPT, "-o", str(tmp_path / "out.png"), "--url", "http://127.0.0.1:9"]
    assert "ovms serve" in str(CliRunner().invoke(cli, arguments).exception)


def test_another_kind_of_file_is_refused_before_anything_is_drawn(cli: typer.Typer, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["image", PROMPT, "-o", str(tmp_path / "out.gif")])
    assert done.exit_code == 2
    assert ".webp" in done.output


def test_progress_and_events_are_read_from_a_stream() -> None:
    lines = [b": ping\n", b"\n", b": progress image=0 step=3 total=20\n", b"\n", b'data: {"type":"x"}\n', b"\n"]
    events = list(parse(parse_frames(lines)))
    assert events == [{"type": "progress", "index": 0, "step": 3, "total": 20}, {"type": "x"}]


def test_a_picture_becomes_lines_of_half_blocks() -> None:
    picture = Image.new("RGB", (64, 64), (255, 0, 0))
    picture.paste((0, 0, 255), (0, 32, 64, 64))
    lines = half_blocks(as_file(picture), 8).split("\n")
    assert len(lines) == 4
    assert all(line.count("▀") == 8 for line in lines)
    assert "38;2;255;0;0" in lines[0]
    assert "48;2;0;0;255" in lines[-1]
    assert Image.open(BytesIO(as_file(picture))).size == (64, 64)
