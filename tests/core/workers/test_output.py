"""What a worker prints and logs, on its way to the log of its model."""

from __future__ import annotations

import logging
import sysconfig

import pytest

from ovms_core.workers.log_lines import LONGEST, LONGEST_TEXT, MARK, _line
from ovms_core.workers.output import EngineOutput

AUTHORS = "/home/me/shout/engine.py"
STACKS = f"""\
Thread 0x00007f4b5a7fc640 [jobs] (most recent call first):
  File "{sysconfig.get_path("stdlib")}/threading.py", line 320 in wait
  File "{AUTHORS}", line 12 in run
  File "{AUTHORS}", line 9 in begin
  <no Python frame>

Current thread 0x00007f4b5c5d8740 (most recent call first):
  File "{logging.__file__}", line 30 in step

Extension modules: numpy.core._multiarray_umath (total: 1)
""".encode()


@pytest.fixture
def output(caplog: pytest.LogCaptureFixture) -> EngineOutput:
    caplog.set_level("DEBUG")
    return EngineOutput(logging.getLogger("ovms.model.m"))


def test_bytes_may_come_in_any_pieces(output: EngineOutput, caplog: pytest.LogCaptureFixture) -> None:
    for byte in b"printed\n" + _line(30, "shout", "lo\ngged") + b"\n \nprinted \xff\n":
        output.feed(bytes([byte]))
    assert caplog.messages == ["printed", "lo\ngged", "printed \ufffd"]


def test_the_longest_record_comes_whole_and_a_longer_one_is_cut(
    output: EngineOutput, caplog: pytest.LogCaptureFixture
) -> None:
    line = _line(40, "shout", "\u0001" * (LONGEST_TEXT + 1))
    output.feed(line[:-1])
    output.feed(b"\n")
    assert len(line) < LONGEST
    assert caplog.messages == ["\u0001" * LONGEST_TEXT]


def test_a_line_without_an_end_takes_no_more_memory_than_the_longest(output: EngineOutput) -> None:
    for _ in range(100):
        output.feed(b"." * (LONGEST // 10))
    assert len(output._rest) == LONGEST


def test_a_record_that_something_was_printed_into_is_shown_as_it_is(
    output: EngineOutput, caplog: pytest.LogCaptureFixture
) -> None:
    output.feed(MARK + b'[30,"shout","torn by another thr\n')
    assert caplog.messages == ['\x1e[30,"shout","torn by another thr']


def test_stacks_are_one_error_with_the_place_of_the_author(
    output: EngineOutput, caplog: pytest.LogCaptureFixture
) -> None:
    output.feed(STACKS)
    assert caplog.messages == []
    output.feed(b"it goes on\n")
    assert [each.levelname for each in caplog.records] == ["ERROR", "INFO"]
    assert caplog.messages[0] == "where the engine is:\n" + STACKS.decode().rstrip("\n")
    assert output.place == f"{AUTHORS}:12 in run"


def test_a_crash_is_told_with_what_was_printed_before(output: EngineOutput, caplog: pytest.LogCaptureFixture) -> None:
    output.feed(b"what():  no memory\nFatal Python error: Aborted\n\n" + STACKS)
    output.flush()
    output.flush()
    first, words = caplog.messages
    assert words.startswith("the engine's last words:\nwhat():  no memory\nFatal Python error: Aborted\n\nThread")
    assert first == "what():  no memory"
