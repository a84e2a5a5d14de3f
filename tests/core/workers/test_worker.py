"""The worker process on its own, at the other end of two pipes."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from ovms_core.messages import ModelSpec
from ovms_core.testing import Probe, Script, Word
from ovms_core.workers.wire import Cancel, Crashed, Frames, Load, Loaded, LoadFailed, Step, Submit, frame, type_paths

_decode = msgspec.msgpack.Decoder(Loaded | LoadFailed | Crashed | Step[Word]).decode


class Worker:
    """A worker that a test talks to."""

    def __init__(self, engine: str = "ovms_core.scripted:ScriptedEngine", **options: Any) -> None:
        command = [sys.executable, "-m", "ovms_core.workers.worker"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)
        self._frames = Frames()
        self._heard: list[Any] = []
        model = ModelSpec(name="m", task="scripted", path="", work_dir="", options=options)
        self.say(Load(engine, model, type_paths(Script | Probe)))

    def say(self, *messages: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(b"".join(frame(msgspec.msgpack.encode(message)) for message in messages))

    def hear(self) -> Any:
        assert self.process.stdout
        while not self._heard:
            data = self.process.stdout.read(65536)
            assert data, "the worker ended"
            self._heard += map(_decode, self._frames.feed(data))
        return self._heard.pop(0)

    def end(self) -> int:
        """Hang up; its exit status."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Wait for it to end by itself; its exit status."""
        status = self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()
        return status


def test_it_ends_with_0_when_the_server_hangs_up() -> None:
    worker = Worker()
    assert worker.hear().info.details == {"scripted": True}
    assert worker.end() == 0


def test_it_ends_when_the_server_hangs_up_in_mid_work() -> None:
    worker = Worker()
    worker.hear()
    worker.say(Submit(1, Script(count=1_000_000, seconds=0.001)))
    worker.hear()
    assert worker.end() == 0


def test_one_message_a_step_holds_what_all_requests_gained() -> None:
    worker = Worker()
    worker.hear()
    worker.say(*(Submit(id, Script(count=2)) for id in range(3)))
    assert worker.hear() == Step([(id, Word(0, "w0 ")) for id in range(3)], [], [])
    assert worker.hear() == Step([(id, Word(1, "w1 ")) for id in range(3)], [0, 1, 2], [])
    worker.end()


def test_a_cancelled_request_gains_nothing_more_and_cancelling_twice_is_harmless() -> None:
    worker = Worker()
    worker.hear()
    worker.say(Submit(1, Script(count=1_000_000, seconds=0.001)))
    worker.hear()
    worker.say(Cancel(1), Cancel(1), Cancel(99), Submit(2, Script(count=1)))
    while 2 not in (step := worker.hear()).done:
        assert all(id == 1 for id, _ in step.gained)
    assert step.gained == [(2, Word(0, "w0 "))]
    worker.end()


def test_a_rejected_request_is_answered_while_others_run() -> None:
    worker = Worker()
    worker.hear()
    worker.say(Submit(1, Script(count=-1)))
    (id, failure), *_ = worker.hear().failed
    assert (id, failure.param) == (1, "count")
    worker.end()


@pytest.mark.parametrize(
    ("engine", "options", "reason"),
    [
        ("ovms_core.scripted:ScriptedEngine", {"load_error": "no weights"}, "no weights"),
        ("no_such_module:Engine", {}, "ModuleNotFoundError: No module named 'no_such_module'"),
        ("ovms_core.scripted:NoSuchEngine", {}, "AttributeError"),
        ("ovms_core.scripted:ScriptedEngine", {"slots": "many"}, "ValidationError: Expected `int`, got `str`"),
    ],
)
def test_what_cannot_be_loaded_says_why_and_ends(engine: str, options: dict[str, Any], reason: str) -> None:
    worker = Worker(engine, **options)
    heard = worker.hear()
    assert isinstance(heard, LoadFailed)
    assert reason in heard.reason
    assert worker.wait() == 2


def test_a_step_that_raises_says_why_and_ends() -> None:
    worker = Worker()
    worker.hear()
    worker.say(Submit(1, Script(raise_at=0)))
    assert worker.hear() == Crashed("RuntimeError: step raised at word 0")
    assert worker.wait() == 1
