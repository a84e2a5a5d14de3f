"""Engines die, hang and break; their requests do not, except the one that did it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import itertools
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from tests.core.support import until
from tests.core.workers import engines, in_memory

from ovms_core.diagnostics.request_id import current_request_id
from ovms_core.engine import Engine
from ovms_core.errors import APIError
from ovms_core.messages import ModelSpec
from ovms_core.task import Task
from ovms_core.testing import Probe, Probed, Script, Word
from ovms_core.testing.scripted import TASK
from ovms_core.workers import dispatcher
from ovms_core.workers.breaker import Breaker
from ovms_core.workers.connection import Connect, Connection
from ovms_core.workers.dispatcher import HARD_LIMIT
from ovms_core.workers.pending import UNREAD_LIMIT
from ovms_core.workers.process import WorkerProcess
from ovms_core.workers.supervisor import Supervisor
from ovms_core.workers.wire import Step

LOADING_RAISED = "the engine raised an exception while it loaded the model; the server's log says why"


@asynccontextmanager
async def supervised(
    task: Task = TASK, breaker: Breaker | None = None, connect: Connect = WorkerProcess.start, **settings: Any
) -> AsyncIterator[Supervisor]:
    """A supervisor with its worker, settled. `settings` are its limits, and the engine's options."""
    limits = {"max_queue": 100, "load_timeout": 30.0, "step_timeout": 30.0}
    limits |= {name: settings.pop(name) for name in limits if name in settings}
    spec = ModelSpec(name="m", task=task.name, path="/srv/models/m", work_dir="", options=settings)
    supervisor = Supervisor(task, spec, connect, breaker=breaker, **limits)  # type: ignore[arg-type]
    supervisor.start()
    await supervisor.settled()
    try:
        yield supervisor
    finally:
        await supervisor.stop()


def with_engine(engine: type[Engine]) -> Task:
    """The scripted task with another engine."""
    return dataclasses.replace(TASK, engine=f"{engine.__module__}:{engine.__qualname__}")


async def run(supervisor: Supervisor, script: Script) -> list[int]:
    """The words that a script gave; raises its error."""
    return [event.index async for event in supervisor.submit(script)]


async def outcome(supervisor: Supervisor, script: Script) -> list[int] | APIError:
    try:
        return await run(supervisor, script)
    except APIError as error:
        return error


async def probe(supervisor: Supervisor) -> Probed:
    async for event in supervisor.submit(Probe()):
        return event  # type: ignore[no-any-return]
    raise AssertionError("no answer")


async def started(supervisor: Supervisor, script: Script) -> tuple[Any, Word]:
    """A script's events, of which the first is here."""
    events = supervisor.submit(script)
    return events, await anext(events)


def pid_of(supervisor: Supervisor) -> int:
    assert isinstance(supervisor.connection, WorkerProcess)
    return supervisor.connection.pid


def kill(supervisor: Supervisor) -> int:
    pid = pid_of(supervisor)
    os.kill(pid, signal.SIGKILL)
    return pid


async def test_requests_are_served_side_by_side_in_a_process_of_their_own() -> None:
    async with supervised() as supervisor:
        results = await asyncio.gather(*(run(supervisor, Script(count=n)) for n in (1, 5, 3)))
        assert results == [[0], [0, 1, 2, 3, 4], [0, 1, 2]]
        assert (await probe(supervisor)).pid == pid_of(supervisor) != os.getpid()


async def test_a_supervisor_keeps_engines_alive_that_run_in_no_process() -> None:
    async with supervised(connect=in_memory.connecting()) as supervisor:
        running = asyncio.create_task(run(supervisor, Script(count=40)))
        events, _ = await started(supervisor, Script(count=10_000))
        first = supervisor.connection
        assert isinstance(first, in_memory.InMemoryWorker)
        await events.aclose()
        assert len(first.cancelled) == 1
        first.kill()
        assert await running == list(range(40))
        assert supervisor.connection is not first


async def test_a_death_is_told_before_what_is_left_of_the_worker_is_cleared_away() -> None:
    told: list[tuple[bool, str | None]] = []

    async def connect(*arguments: Any) -> Connection:
        worker = await in_memory.connecting()(*arguments)
        worker.stop = stop  # type: ignore[method-assign]
        return worker

    async def stop(grace: float) -> None:
        await asyncio.sleep(3600)

    def tell() -> None:
        told.append((supervisor.ready, supervisor.problem))

    spec = ModelSpec(name="m", task=TASK.name, path="", work_dir="", options={})
    supervisor = Supervisor(TASK, spec, connect, max_queue=1, load_timeout=30, step_timeout=30, on_change=tell)
    supervisor.start()
    await supervisor.settled()
    assert supervisor.connection is not None
    supervisor.connection.kill()
    await until(lambda: len(told) == 2)
    assert told == [(True, None), (False, "the engine died (killed)")]
    await supervisor.stop()


async def test_closing_the_events_cancels_in_the_engine_within_a_step() -> None:
    async with supervised() as supervisor:
        events, _ = await started(supervisor, Script(count=10_000, seconds=0.01))
        assert (await probe(supervisor)).in_flight == 1
        await events.aclose()
        seen = await probe(supervisor)
        assert (seen.in_flight, seen.cancelled) == (0, 1)
        assert supervisor.load().in_flight == 0


async def test_after_a_kill_all_requests_finish_without_gap_or_duplicate() -> None:
    async with supervised(slots=16) as supervisor:
        scripts = [Script(count=40, seconds=0.002) for _ in range(32)]
        running = [asyncio.create_task(run(supervisor, script)) for script in scripts]
        await until(lambda: any(not pending.fresh for pending in supervisor.requests.queue.in_flight.values()))
        dead = kill(supervisor)
        assert await asyncio.gather(*running) == [list(range(40))] * 32
        assert pid_of(supervisor) != dead
        assert supervisor.restarts == 1


@pytest.mark.parametrize("word", [0, 3])
@pytest.mark.parametrize("how", ["die_at", "raise_at"])
async def test_a_poison_among_good_requests_fails_alone(how: str, word: int) -> None:
    async with supervised() as supervisor:
        good = [outcome(supervisor, Script(count=6, seconds=0.002)) for _ in range(8)]
        poison = outcome(supervisor, msgspec.structs.replace(Script(count=6), **{how: word}))
        *results, failure = await asyncio.gather(*good[:4], *good[4:], poison)
        assert results == [[0, 1, 2, 3, 4, 5]] * 8
        assert isinstance(failure, APIError)
        assert failure.status == 500
        assert failure.code == "engine_failed"
        why = ": the engine died (signal 9)" if how == "die_at" else ""
        assert failure.message == f"The engine failed on this request{why}; the server's log says why."
        assert await run(supervisor, Script(count=2)) == [0, 1]


async def test_an_engine_that_hangs_is_replaced_and_the_request_to_blame_fails() -> None:
    async with supervised(step_timeout=0.3) as supervisor:
        good = asyncio.create_task(run(supervisor, Script(count=30, seconds=0.01)))
        poison = asyncio.create_task(outcome(supervisor, Script(count=9, hang_at=4)))
        assert await good == list(range(30))
        failure = await poison
        assert isinstance(failure, APIError)
        assert "the engine made no progress for 0.3 s" in failure.message


async def test_a_hang_that_does_not_come_back_harms_nobody(tmp_path: Path) -> None:
    async with supervised(with_engine(engines.HangsOnce), step_timeout=0.3, marker=str(tmp_path / "m")) as supervisor:
        assert await run(supervisor, Script(count=5)) == [0, 1, 2, 3, 4]
        assert supervisor.restarts == 1


@pytest.mark.parametrize("engine", [engines.JobHangsOnce, engines.PreparationHangsOnce])
async def test_steps_do_not_keep_alive_what_hangs_on_another_thread(engine: type[Engine], tmp_path: Path) -> None:
    marker = str(tmp_path / "m")
    async with asyncio.timeout(20), supervised(with_engine(engine), step_timeout=0.5, marker=marker) as supervisor:
        assert await run(supervisor, Script(count=3)) == [0, 1, 2]
        assert supervisor.restarts == 1


async def test_clients_who_leave_and_come_again_do_not_keep_a_hung_engine(tmp_path: Path) -> None:
    task, marker = with_engine(engines.JobHangsOnce), str(tmp_path / "m")
    async with asyncio.timeout(20), supervised(task, step_timeout=0.4, marker=marker) as supervisor:
        while not supervisor.restarts:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await run(supervisor, Script(count=3))


async def test_a_batch_that_hangs_is_not_kept_alive_by_those_on_other_streams(tmp_path: Path) -> None:
    task, marker = with_engine(engines.BatchHangsOnce), tmp_path / "m"
    async with asyncio.timeout(20), supervised(task, step_timeout=0.5, marker=str(marker)) as supervisor:
        hung = asyncio.create_task(run(supervisor, Script(count=1)))
        while not hung.done():
            assert await run(supervisor, Script(count=7)) == [7]
        assert await hung == [1]
        assert supervisor.restarts == 1


async def test_what_cannot_be_resumed_fails_once_something_was_sent_and_else_runs_again() -> None:
    async with supervised(slots=1) as supervisor:
        events, _ = await started(supervisor, Script(count=500, seconds=0.005, resumable=False))
        waiting = asyncio.create_task(run(supervisor, Script(count=3, resumable=False)))
        await asyncio.sleep(0)
        kill(supervisor)
        with pytest.raises(APIError, match="cannot be continued") as failure:
            async for _ in events:
                pass
        assert failure.value.status == 500
        assert await waiting == [0, 1, 2]


async def test_a_reader_that_falls_behind_gives_its_slot_to_others_and_misses_nothing() -> None:
    async with supervised(connect=in_memory.connecting(), slots=1) as supervisor:
        script = Script(count=500, padding=32 << 10)
        events, first = await started(supervisor, script)
        await until(lambda: supervisor.load().parked == 1)
        assert supervisor.load().in_flight == 0
        unread = sum(pending.unread for pending in supervisor.requests.queue.parked)
        assert UNREAD_LIMIT < unread < 2 * UNREAD_LIMIT
        assert await run(supervisor, Script(count=3)) == [0, 1, 2]
        rest = [event.index async for event in events]
        assert [first.index, *rest] == list(range(500))
        assert supervisor.load().parked == 0


async def test_what_an_engine_still_says_of_a_parked_request_is_not_heard_twice() -> None:
    async with supervised(connect=in_memory.connecting(), slots=1) as supervisor:
        events, _ = await started(supervisor, Script(count=100, padding=UNREAD_LIMIT // 10))
        await until(lambda: supervisor.load().parked == 1)
        worker = supervisor.connection
        assert isinstance(worker, in_memory.InMemoryWorker)
        (old,) = worker.cancelled
        worker.hear(Step([(old, Word(99, "late"))], [old], []))
        assert supervisor.load().parked == 1
        assert [event.index async for event in events] == list(range(1, 100))


async def end_of(events: AsyncIterator[Word]) -> str | None:
    """The code of the error that ends a stream, or the number of its last word."""
    last = 0
    try:
        async for event in events:
            last = event.index
    except APIError as error:
        return error.code
    return f"all {last + 1} words"


async def test_parked_requests_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "PARKED_LIMIT", 2 * UNREAD_LIMIT)
    async with supervised(connect=in_memory.connecting()) as supervisor:
        slow = [await started(supervisor, Script(count=100, padding=UNREAD_LIMIT // 10)) for _ in range(2)]
        await until(lambda: supervisor.load().in_flight == 0)
        assert supervisor.load().parked == 1
        ends = [await end_of(events) for events, _ in slow]
        assert sorted(map(str, ends)) == ["all 100 words", "slow_client"]


async def test_a_reader_that_keeps_up_is_never_held_back() -> None:
    worker = in_memory.connecting()
    async with supervised(connect=worker) as supervisor:
        assert await run(supervisor, Script(count=100, padding=UNREAD_LIMIT // 10)) == list(range(100))
        assert isinstance(supervisor.connection, in_memory.InMemoryWorker)
        assert supervisor.connection.cancelled == []


async def test_a_parked_request_survives_the_engine_and_can_be_closed() -> None:
    async with supervised(connect=in_memory.connecting()) as supervisor:
        script = Script(count=100, padding=UNREAD_LIMIT // 10)
        slow = [await started(supervisor, script) for _ in range(2)]
        await until(lambda: supervisor.load().parked == 2)
        assert supervisor.connection is not None
        supervisor.connection.kill()
        await until(lambda: supervisor.restarts == 1 and supervisor.ready)
        (kept, _), (closed, _) = slow
        await closed.aclose()
        assert supervisor.load().parked == 1
        assert [event.index async for event in kept] == list(range(1, 100))


async def test_a_reader_that_is_behind_with_what_cannot_pause_gets_an_error_at_a_limit() -> None:
    async with supervised(connect=in_memory.connecting()) as supervisor:
        script = Script(count=100, padding=HARD_LIMIT // 20, resumable=False)
        events, _ = await started(supervisor, script)
        await until(lambda: supervisor.load().in_flight == 0)
        rest = aiter(events)
        assert [(await anext(rest)).index for _ in range(20)] == list(range(1, 21))
        with pytest.raises(APIError, match="reads too slowly: 64 MiB") as failure:
            await anext(rest)
        assert failure.value.code == "slow_client"


async def test_a_request_whose_resumption_is_broken_fails_alone() -> None:
    class Broken(Script, tag="script", kw_only=True):
        def resumed(self, events: Any) -> Any:
            raise ZeroDivisionError

    async with supervised() as supervisor:
        events, _ = await started(supervisor, Broken(count=500, seconds=0.005))
        kill(supervisor)
        with pytest.raises(APIError, match="cannot be continued"):
            async for _ in events:
                pass
        assert await run(supervisor, Script(count=1)) == [0]


async def test_a_full_queue_refuses_at_once_and_the_admitted_finish() -> None:
    async with supervised(slots=2, max_queue=3) as supervisor:
        tries = [asyncio.create_task(outcome(supervisor, Script(count=3, seconds=0.01))) for _ in range(20)]
        results = await asyncio.gather(*tries)
        assert results.count([0, 1, 2]) == 5
        refusals = [result for result in results if isinstance(result, APIError)]
        assert {refusal.status for refusal in refusals} == {429}
        assert all(int(refusal.headers["retry-after"]) >= 1 for refusal in refusals)


async def test_a_request_that_the_engine_rejects_fails_alone() -> None:
    async with supervised() as supervisor:
        failure = await outcome(supervisor, Script(count=-1))
        assert isinstance(failure, APIError)
        assert (failure.status, failure.param) == (400, "count")
        assert supervisor.restarts == 0


async def test_a_value_that_cannot_travel_fails_its_request_and_frees_its_slot() -> None:
    async with supervised(slots=1) as supervisor:
        for hopeless in (Script(count=2**70), Script(count=object())):  # type: ignore[arg-type]
            failure = await outcome(supervisor, hopeless)
            assert isinstance(failure, APIError)
            assert (failure.status, failure.code) == (400, "invalid_value")
        assert await run(supervisor, Script(count=1)) == [0]


async def test_a_value_of_the_wrong_type_fails_its_request_and_not_the_engine() -> None:
    async with supervised() as supervisor:
        failure = await outcome(supervisor, Script(count="many"))  # type: ignore[arg-type]
        assert isinstance(failure, APIError)
        assert "$.count" in failure.message
        assert supervisor.restarts == 0


async def test_an_event_that_the_task_does_not_declare_is_the_engines_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with supervised(with_engine(engines.SaysWrong)) as supervisor:
        failure = await outcome(supervisor, Script())
        assert isinstance(failure, APIError)
        assert failure.code == "engine_failed"
        assert "sent an event that its task does not declare: Expected `array`, got `object`" in caplog.text


async def test_a_load_error_is_told_and_not_tried_again() -> None:
    async with supervised(load_error="Weights are missing in /srv/models/m: fetch them.") as supervisor:
        assert supervisor.failed
        assert supervisor.problem == "Weights are missing in /srv/models/m: fetch them."
        assert supervisor.restarts == 0
        failure = await outcome(supervisor, Script())
        assert isinstance(failure, APIError)
        assert failure.status == 503
        assert "…/m: fetch them" in failure.message


async def test_an_engine_that_dies_while_loading_is_tried_three_times() -> None:
    async with supervised(load_death=True) as supervisor:
        assert supervisor.failed
        assert supervisor.problem == "the engine died while loading (signal 9), 3 times"


async def test_an_engine_whose_info_fails_has_failed_to_load(caplog: pytest.LogCaptureFixture) -> None:
    async with supervised(with_engine(engines.NoInfo)) as supervisor:
        assert supervisor.problem == LOADING_RAISED
        (record,) = (each for each in caplog.records if "ZeroDivisionError" in each.message)
        assert f"no info ({engines.__file__}:" in record.message
        assert "Traceback" in record.message


async def test_an_engine_that_cannot_be_imported_has_failed_to_load() -> None:
    async with supervised(dataclasses.replace(TASK, engine="no_such_module:Engine")) as supervisor:
        assert supervisor.problem == LOADING_RAISED


async def test_loading_has_a_time_limit() -> None:
    async with supervised(load_seconds=60, load_timeout=0.5) as supervisor:
        assert supervisor.problem == "loading took longer than 0.5 s: raise load_timeout."
        assert supervisor.connection is None


async def test_what_could_be_loaded_once_is_tried_again_when_it_cannot_be_loaded_after_a_death(tmp_path: Path) -> None:
    """The memory may be short for the moment, or the disk be away."""
    async with supervised(with_engine(engines.LoadsNotAtOnceAgain), marker=str(tmp_path / "m")) as supervisor:
        kill(supervisor)
        await until(lambda: not supervisor.ready)
        assert await run(supervisor, Script(count=2)) == [0, 1]
        assert supervisor.restarts == 2


async def test_a_worker_that_cannot_be_started_for_the_moment_is_started_later() -> None:
    start, attempts = in_memory.connecting(), itertools.count()

    async def start_but_the_second_time(*arguments: Any) -> Connection:
        if next(attempts) == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return await start(*arguments)

    async with supervised(connect=start_but_the_second_time) as supervisor:
        assert supervisor.connection is not None
        supervisor.connection.kill()
        await until(lambda: supervisor.restarts == 2)
        assert await run(supervisor, Script(count=2)) == [0, 1]


async def test_a_worker_that_cannot_be_started_at_all_is_tried_three_times() -> None:
    async def start(*arguments: Any) -> Connection:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    async with supervised(connect=start) as supervisor:
        assert supervisor.problem == "its worker cannot be started (Resource temporarily unavailable), 3 times"


async def test_requests_wait_for_a_model_that_still_loads() -> None:
    async with supervised() as supervisor:
        kill(supervisor)
        await until(lambda: not supervisor.ready)
        assert await run(supervisor, Script(count=2)) == [0, 1]


async def test_after_repeated_deaths_requests_get_503_and_later_one_attempt_is_made() -> None:
    breaker = Breaker(limit=3, window=60, cooldown=1.0)
    async with supervised(breaker=breaker) as supervisor:
        for _ in range(3):
            await until(lambda: supervisor.ready)
            kill(supervisor)
            await until(lambda: not supervisor.ready)
        await until(lambda: supervisor.failed)
        failure = await outcome(supervisor, Script())
        assert isinstance(failure, APIError)
        assert (failure.status, failure.headers["retry-after"]) == (503, "1")
        assert "the engine died (signal 9)" in failure.message
        await until(lambda: supervisor.ready)
        assert not supervisor.failed
        assert supervisor.problem is None
        assert await run(supervisor, Script(count=1)) == [0]


async def test_requests_that_fail_together_have_errors_of_their_own() -> None:
    """An endpoint may say more of its own, such as the field at fault."""
    async with supervised(connect=in_memory.connecting(), breaker=Breaker(limit=1, cooldown=60)) as supervisor:
        running = [asyncio.create_task(outcome(supervisor, Script(count=10**9))) for _ in range(2)]
        await until(lambda: supervisor.load().in_flight == 2)
        assert supervisor.connection is not None
        supervisor.connection.kill()
        one, other = await asyncio.gather(*running)
        assert isinstance(one, APIError)
        assert isinstance(other, APIError)
        assert (one.status, other.status) == (503, 503)
        assert one is not other


async def test_when_the_breaker_opens_what_waits_fails() -> None:
    async with supervised(breaker=Breaker(limit=1, cooldown=60)) as supervisor:
        running = asyncio.create_task(outcome(supervisor, Script(count=500, seconds=0.01)))
        await until(lambda: supervisor.load().in_flight == 1)
        kill(supervisor)
        failure = await running
        assert isinstance(failure, APIError)
        assert failure.status == 503


async def test_stopping_ends_the_process_and_the_requests() -> None:
    async with supervised() as supervisor:
        pid = pid_of(supervisor)
        running = asyncio.create_task(outcome(supervisor, Script(count=500, seconds=0.01)))
        await until(lambda: supervisor.load().in_flight == 1)
        await supervisor.stop()
        failure = await running
        assert isinstance(failure, APIError)
        assert (failure.status, supervisor.connection) == (503, None)
        assert not psutil.pid_exists(pid)
        assert isinstance(await outcome(supervisor, Script()), APIError)


async def test_stopping_while_loading_ends_the_process() -> None:
    spec = ModelSpec(name="m", task="scripted", path="", work_dir="", options={"load_seconds": 60})
    supervisor = Supervisor(TASK, spec, WorkerProcess.start, max_queue=1, load_timeout=60, step_timeout=60)
    supervisor.start()
    await until(lambda: supervisor.connection is not None)
    pid = pid_of(supervisor)
    stopping = asyncio.create_task(supervisor.stop())
    await stopping
    assert not psutil.pid_exists(pid)


async def test_what_lies_in_the_current_folder_is_not_taken_for_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('not the real one')")
    monkeypatch.chdir(tmp_path)
    async with supervised() as supervisor:
        assert await run(supervisor, Script(count=1)) == [0]


async def test_what_an_engine_has_started_ends_with_it(tmp_path: Path) -> None:
    """A process that outlives the engine would hold its pipes open, and its death would never be noticed."""
    marker = tmp_path / "child"
    async with supervised(with_engine(engines.HasChild), marker=str(marker)) as supervisor:
        child = int(marker.read_text())
        assert psutil.pid_exists(child)
        kill(supervisor)
        await until(lambda: supervisor.restarts == 1 and supervisor.ready)
        await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")


async def test_what_an_engine_prints_goes_to_the_log_and_not_on_the_wire(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ovms.model.m")
    async with supervised(with_engine(engines.Talkative)) as supervisor:
        assert await run(supervisor, Script(count=1)) == [0]
        await until(lambda: {"said on stdout", "said on stderr", "said by native code"} <= set(caplog.messages))


def error_records(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    """The errors in the log in which `text` stands."""
    return [each.message for each in caplog.records if each.levelname == "ERROR" and text in each.message]


async def test_a_request_that_makes_add_raise_fails_alone_and_the_engine_forgets_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with supervised(with_engine(engines.AddRaises)) as supervisor:
        good = asyncio.create_task(run(supervisor, Script(count=20, seconds=0.005)))
        failure = await outcome(supervisor, Script(count=4, padding=1))
        assert isinstance(failure, APIError)
        assert (failure.status, failure.code) == (500, "engine_failed")
        assert failure.message == "The engine failed on this request; the server's log says why."
        assert await good == list(range(20))
        assert (await probe(supervisor)).in_flight == 0
        assert supervisor.restarts == 0
    (told,) = error_records(caplog, "the engine failed on request")
    assert f"add() raised KeyError: '/secret/path' ({engines.__file__}:" in told
    assert error_records(caplog, "Traceback")


async def test_the_error_of_an_engine_names_the_http_request_and_so_does_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    current_request_id.set("abc")
    async with supervised() as supervisor:
        failure = await outcome(supervisor, Script(raise_at=0))
        assert isinstance(failure, APIError)
        assert failure.message.endswith("the server's log says why (request id abc).")
    (told,) = error_records(caplog, "request abc")
    assert "RuntimeError: step raised at word 0" in told


async def test_the_log_says_where_an_engine_hung(caplog: pytest.LogCaptureFixture) -> None:
    async with supervised(with_engine(engines.HangsInItsFunction), step_timeout=0.2) as supervisor:
        await outcome(supervisor, Script())
    (stacks, *_) = error_records(caplog, "where the engine is:\n")
    assert stacks.index("in ponder") < stacks.index("in step") < stacks.index("worker.py")
    (told, *_) = error_records(caplog, "no progress for 0.2 s (step_timeout) in ")
    assert f" in {engines.__file__}:" in told
    assert " in ponder; starting it again with 1 requests" in told


async def test_an_engine_that_does_not_load_in_time_is_asked_where_it_is_before_it_is_killed() -> None:
    asked: list[bool] = []

    async def connect(*arguments: Any) -> Connection:
        worker = await in_memory.connecting()(*arguments)
        assert isinstance(worker, in_memory.InMemoryWorker)
        worker.mute()
        worker.show_stacks = show_stacks  # type: ignore[method-assign]
        return worker

    async def show_stacks() -> None:
        assert supervisor.connection is not None
        asked.append(supervisor.connection.exited.done())

    spec = ModelSpec(name="m", task=TASK.name, path="", work_dir="", options={})
    supervisor = Supervisor(TASK, spec, connect, max_queue=1, load_timeout=0.01, step_timeout=30)
    supervisor.start()
    await supervisor.settled()
    assert supervisor.problem == "loading took longer than 0.01 s: raise load_timeout."
    assert asked == [False]


async def test_a_native_crash_leaves_the_python_stack_as_the_engines_last_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "ovms.model.m")
    async with supervised(with_engine(engines.Segfaults), breaker=Breaker(limit=1)) as supervisor:
        await outcome(supervisor, Script())
    (words,) = error_records(caplog, "the engine's last words:\n")
    assert "terminate called after throwing\nFatal Python error: Segmentation fault" in words
    assert "in step" in words
    (died,) = error_records(caplog, "the engine died (signal 11) in ")
    assert f" in {engines.__file__}:" in died
    assert not [each for each in caplog.records if each.levelname == "INFO" and "Fatal" in each.message]


async def test_what_an_engine_logs_keeps_its_level_and_its_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ovms.model.m")
    async with supervised(with_engine(engines.Logs)) as supervisor:
        await run(supervisor, Script(count=1))
        await until(lambda: "right behind it" in caplog.messages)
    told = {each.message: (each.levelname, each.name) for each in caplog.records}
    assert told["the weights of m\nare\x1e old \\udcff"] == ("WARNING", "ovms.model.m.shout.weights")
    assert told["at the root"] == ("INFO", "ovms.model.m")
    assert told["printed without an end"] == ("INFO", "ovms.model.m")
    assert told["right behind it"] == ("ERROR", "ovms.model.m.shout")
    (warning,) = (text for text in told if "UserWarning: use the other one" in text)
    assert told[warning] == ("WARNING", "ovms.model.m.py.warnings")
    (raised,) = (text for text in told if text.startswith("cannot read\nTraceback"))
    assert raised.endswith("OSError: no such weights")
    assert "hidden" not in told


async def test_a_lost_request_of_an_engine_that_says_what_it_has_fails_at_once_and_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connect = partial(WorkerProcess.start, step_timeout=0.4)
    async with supervised(with_engine(engines.LosesAndSays), connect=connect) as supervisor:
        good = asyncio.create_task(run(supervisor, Script(count=100, seconds=0.01)))
        failure = await outcome(supervisor, Script(count=13))
        assert isinstance(failure, APIError)
        assert failure.code == "engine_failed"
        assert await good == list(range(100))
        assert supervisor.restarts == 0
    assert error_records(caplog, "the engine has it no more (in_flight)")


async def test_an_engine_that_does_nothing_for_its_last_request_has_lost_it(caplog: pytest.LogCaptureFixture) -> None:
    connect = partial(WorkerProcess.start, step_timeout=0.2)
    async with supervised(with_engine(engines.Loses), connect=connect) as supervisor:
        failure = await outcome(supervisor, Script(count=13))
        assert isinstance(failure, APIError)
        assert failure.code == "engine_failed"
        assert await run(supervisor, Script(count=2)) == [0, 1]
        assert supervisor.restarts == 0
    assert error_records(caplog, "gained nothing for it in 0.2 s (step_timeout), and its steps did nothing at all")
