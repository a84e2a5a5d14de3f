"""The worker process on its own, at the other end of two pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.workers import engines

from ovms_core.messages import ModelSpec
from ovms_core.testing import Probe, Probed, Script, ScriptedEngine, Word
from ovms_core.workers.pipes import Inbox, Outbox
from ovms_core.workers.wire import (
    Cancel,
    Crashed,
    Failure,
    Frames,
    Load,
    Loaded,
    LoadFailed,
    Step,
    Submit,
    frame,
    type_paths,
)
from ovms_core.workers.worker import EngineLoop

RAISED = "the engine raised an exception while it loaded the model; the server's log says why"
SCRIPTED = "ovms_core.testing.scripted_engine:ScriptedEngine"

_decode = msgspec.msgpack.Decoder(Loaded | LoadFailed | Crashed | Step[Word | Probed]).decode


class Worker:
    """A worker that a test talks to."""

    def __init__(self, engine: str = SCRIPTED, **options: Any) -> None:
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
        (SCRIPTED, {"load_error": "no weights"}, "no weights"),
        ("no_such_module:Engine", {}, RAISED),
        ("ovms_core.testing.scripted_engine:NoSuchEngine", {}, RAISED),
        (SCRIPTED, {"slots": "many"}, RAISED),
    ],
)
def test_what_cannot_be_loaded_says_why_and_ends(engine: str, options: dict[str, Any], reason: str) -> None:
    worker = Worker(engine, **options)
    heard = worker.hear()
    assert isinstance(heard, LoadFailed)
    assert heard.reason == reason
    assert worker.wait() == 2


def test_a_step_that_raises_says_why_and_ends() -> None:
    worker = Worker()
    worker.hear()
    worker.say(Submit(1, Script(raise_at=0)))
    assert worker.hear() == Crashed("the engine raised an exception", "RuntimeError: step raised at word 0")
    assert worker.wait() == 1


def test_a_crash_is_told_before_the_engine_is_closed() -> None:
    worker = Worker("tests.core.workers.engines:NeverCloses")
    worker.hear()
    worker.say(Submit(1, Script(raise_at=0)))
    assert worker.hear() == Crashed("the engine raised an exception", "RuntimeError: step raised at word 0")
    worker.process.kill()
    worker.wait()


def preparing(folder: Path, *counts: int | str, engine: str = "Prepares") -> Worker:
    """A worker that prepares scripts of `counts` words as the pipes with these names in `folder` say."""
    for count in counts:
        os.mkfifo(folder / str(count))
    worker = Worker(f"tests.core.workers.engines:{engine}", marker=str(folder))
    worker.hear()
    return worker


def test_a_request_is_prepared_while_others_are_in_flight(tmp_path: Path) -> None:
    worker = preparing(tmp_path, 2)
    worker.say(Submit(1, Script(count=1_000_000, seconds=0.001)), Submit(2, Script(count=2)))
    assert {id for _ in range(5) for id, _ in worker.hear().gained} == {1}
    (tmp_path / "2").write_text("go")
    while 2 not in worker.hear().done:
        pass
    worker.end()


def test_a_prepared_request_wakes_the_worker_and_one_that_is_quick_overtakes_it(tmp_path: Path) -> None:
    worker = preparing(tmp_path, 2)
    worker.say(Submit(1, Script(count=2)), Submit(2, Script(count=1)))
    assert worker.hear().done == [2]
    (tmp_path / "2").write_text("go")
    assert worker.hear().gained == [(1, Word(0, "w0 "))]
    assert worker.hear().done == [1]
    worker.end()


def test_a_request_that_needs_no_preparation_takes_no_detour(tmp_path: Path) -> None:
    worker = preparing(tmp_path, 1, "probe", engine="PreparesProbes")
    worker.say(Submit(1, Probe()), Submit(2, Script(count=1)))
    assert worker.hear().done == [2], "nobody wrote into its pipe"
    (tmp_path / "probe").write_text("go")
    ((id, probed),) = worker.hear().gained
    assert (id, probed.added) == (1, 2)
    worker.end()


def test_a_request_cancelled_while_it_is_prepared_never_reaches_the_engine(tmp_path: Path) -> None:
    worker = preparing(tmp_path, 2)
    worker.say(Submit(1, Script(count=2)))
    with (tmp_path / "2").open("w"):  # opens when it is being prepared
        worker.say(Cancel(1), Submit(2, Script(count=1)))
        assert worker.hear().done == [2]
    worker.say(Submit(3, Probe()))
    ((id, probed),) = worker.hear().gained
    assert (id, probed.in_flight, probed.cancelled, probed.added) == (3, 0, 0, 2)
    worker.end()


def test_a_preparation_that_fails_is_its_own_requests_failure(tmp_path: Path) -> None:
    worker = preparing(tmp_path)
    (tmp_path / "2").write_text("refuse")
    (tmp_path / "3").write_text("break")
    worker.say(Submit(1, Script(count=2)))
    assert worker.hear().failed == [(1, Failure(400, "it cannot be served", "count", "invalid_value"))]
    worker.say(Submit(2, Script(count=3)))
    ((id, details),) = worker.hear().faults
    assert id == 2
    assert details.startswith(f"prepare() raised ZeroDivisionError: /secret/path ({engines.__file__}:")
    worker.say(Submit(3, Script(count=1)))
    assert worker.hear().done == [3]
    worker.end()


def test_it_ends_with_0_when_the_server_hangs_up_while_a_request_is_prepared(tmp_path: Path) -> None:
    worker = preparing(tmp_path, 2)
    worker.say(Submit(1, Script(count=2)))
    with (tmp_path / "2").open("w"):
        assert worker.process.stdin
        worker.process.stdin.close()
    assert worker.wait() == 0


def test_an_engine_that_prepares_nothing_gets_requests_without_a_detour() -> None:
    read, write = os.pipe()
    engine = ScriptedEngine(ModelSpec(name="m", task="scripted", path="", work_dir=""))
    with os.fdopen(read), os.fdopen(write, "wb") as out:
        assert EngineLoop(engine, Script, Inbox(read), Outbox(out))._preparer is None


def test_a_refusal_is_no_progress_of_an_engine_at_work() -> None:
    worker = Worker("tests.core.workers.engines:Idles")
    worker.hear()
    worker.say(Submit(1, Script(count=-1)))
    assert worker.hear().progressed
    worker.say(Submit(2, Script()), Submit(3, Script(count=-1)))
    assert not worker.hear().progressed
    worker.end()
