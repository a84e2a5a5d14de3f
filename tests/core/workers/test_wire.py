"""Frames survive however the bytes arrive."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ovms_core.testing import Probe, Script, Word
from ovms_core.workers.wire import Cancel, Crashed, Failure, Frames, Step, Submit, frame, type_paths


@given(payloads=st.lists(st.binary(max_size=300), max_size=8), cuts=st.lists(st.integers(1, 50), min_size=1))
def test_frames_come_out_as_they_went_in_however_they_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    stream, frames, out, turn = b"".join(map(frame, payloads)), Frames(), list[bytes](), 0
    while stream:
        size = cuts[turn % len(cuts)]
        out += frames.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert out == payloads


def test_commands_and_messages_travel() -> None:
    encode = msgspec.msgpack.encode
    commands = msgspec.msgpack.Decoder(Submit[Script | Probe] | Cancel)
    assert commands.decode(encode(Submit(3, Script(count=2)))) == Submit(3, Script(count=2))
    assert commands.decode(encode(Cancel(4))) == Cancel(4)
    messages = msgspec.msgpack.Decoder(Step[Word] | Crashed)
    step = Step([(1, Word(0, "w"))], [1], [(2, Failure(400, "no", param="x"))])
    assert messages.decode(encode(step)) == step


def test_the_types_of_a_union_are_named_by_import_path() -> None:
    module = "ovms_core.testing.scripted_engine"
    assert type_paths(Script | Probe) == [f"{module}:Script", f"{module}:Probe"]
    assert type_paths(Script) == [f"{module}:Script"]
