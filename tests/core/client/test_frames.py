from __future__ import annotations

import pytest

from ovms_core.client.frames import Frame, parse_frames, read_frames


def test_a_stream_is_read_frame_by_frame() -> None:
    stream = b": ping\n\nevent: done\ndata: {\ndata: }\n\n\n\ndata:x\r\n\r\n: a\ndata: [DONE]\n\ndata: broken off"
    assert list(parse_frames(stream.splitlines(keepends=True))) == [
        Frame("", comments=("ping",)),
        Frame("{\n}", "done"),
        Frame("x"),
        Frame("[DONE]", comments=("a",)),
    ]


def test_frames_come_as_soon_as_they_are_complete() -> None:
    lines = iter([b"data: 1\n", b"\n", b"data: 2\n"])
    assert next(parse_frames(lines)).document() == 1
    assert next(lines) == b"data: 2\n"


def test_a_complete_stream_is_read_without_its_comments() -> None:
    frames = read_frames(': ping\n\nevent: done\ndata: {"a": 1}\n\ndata: [DONE]\n\n')
    assert frames == [Frame('{"a": 1}', "done"), Frame("[DONE]")]
    assert read_frames("") == []
    with pytest.raises(ValueError, match="in the middle of a frame: 'data: 2'"):
        read_frames("data: 1\n\ndata: 2")
