"""Models are brought up one by one, fail with a reason, and go away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.core.support import Client, plugin, until

from ovms_core.configuration import ConfigurationError
from ovms_core.models import lifecycle
from ovms_core.models.lifecycle import Lifecycle
from ovms_core.models.model import State
from ovms_core.plugin import FetchProgress, Offer, SourceError
from ovms_core.settings import ModelSettings
from ovms_core.testing import app_with, scripted_model, scripted_plugin, serving


class Slow:
    """A source whose fetch goes on until it is stopped."""

    scheme = "slow"

    def __init__(self) -> None:
        self.started = threading.Event()
        self.stopped = threading.Event()

    def locate(self, name: str) -> Path | None:
        return None

    def fetch(self, name: str, into: Path, *, offline: bool, progress: FetchProgress) -> None:
        try:
            while True:
                progress(25, 100)
                self.started.set()
                self.stopped.wait(0.01)
        finally:
            self.stopped.set()

    def offers(self) -> Sequence[Offer]:
        return ()


class Broken(Slow):
    """A source that raises."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def fetch(self, name: str, into: Path, **settings: Any) -> None:
        raise self._error


def from_source(source: Any) -> Any:
    return plugin("source", ovms_register_sources=lambda: [source])


async def test_models_are_loaded_one_after_the_other_in_any_state_of_the_others() -> None:
    models = [scripted_model("a", load_seconds=0.3), scripted_model("b", load_error="no"), scripted_model("c")]
    app = app_with(scripted_plugin, models=models)

    def states() -> list[State]:
        return [model.state for model in app.state.models]

    async with serving(app, settled=False):
        settling = asyncio.create_task(app.state.lifecycle.settled())
        while not settling.done():
            assert states().count(State.LOADING) <= 1
            await asyncio.sleep(0.005)
        assert states() == [State.READY, State.FAILED, State.READY]


async def test_a_model_whose_load_hangs_does_not_hold_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lifecycle, "_TURN", 0.1)
    app = app_with(scripted_plugin, models=[scripted_model(name, load_seconds=3600) for name in "ab"])
    async with serving(app, settled=False):
        await until(lambda: all(model.state is State.LOADING for model in app.state.models))
        assert "still loads after 0.1 s" in caplog.text
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(app.state.lifecycle.settled(), 0.05)


async def test_at_the_end_every_worker_process_is_gone() -> None:
    app = app_with(scripted_plugin, models=[scripted_model(name) for name in "ab"])
    async with serving(app):
        pids = [model.runner.connection.pid for model in app.state.models]
    assert not any(map(psutil.pid_exists, pids))
    assert {model.state for model in app.state.models} == {State.UNLOADED}


async def test_waiting_for_the_models_in_vain_does_not_stop_them() -> None:
    app = app_with(scripted_plugin, models=[scripted_model(load_seconds=0.3)])
    async with serving(app, settled=False):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(app.state.lifecycle.settled(), 0.05)
        await app.state.lifecycle.settled()
        assert next(iter(app.state.models)).state is State.READY


async def test_a_fetch_shows_how_far_it_is_and_stops_with_the_server(tmp_path: Path) -> None:
    source = Slow()
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(source), models=[model], model_repository=str(tmp_path))
    async with serving(app, settled=False) as url, Client(url) as client:
        await asyncio.to_thread(source.started.wait)
        assert (await client.get("/v3/models/m")).json()["detail"] == "fetching, 25%"
    assert await asyncio.to_thread(source.stopped.wait, 5)


async def test_a_fetch_that_hangs_does_not_keep_the_server(tmp_path: Path) -> None:
    class Hanging(Slow):
        def fetch(self, name: str, into: Path, **settings: Any) -> None:
            self.thread = threading.current_thread()
            self.started.set()
            self.stopped.wait()

    source = Hanging()
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(source), models=[model], model_repository=str(tmp_path))
    async with asyncio.timeout(5):
        async with serving(app, settled=False):
            await asyncio.to_thread(source.started.wait)
    assert source.thread.is_alive()
    assert source.thread.daemon, "a process that ends would wait for it"
    source.stopped.set()


async def test_a_fetch_that_fails_by_the_network_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flaky(Slow):
        failures = 3

        def fetch(self, name: str, into: Path, **settings: Any) -> None:
            self.failures -= 1
            if self.failures >= 0:
                raise SourceError("The network is away.", transient=True)
            (into / "script.json").touch()

    monkeypatch.setattr(Lifecycle._bring_up, "__defaults__", (0.2,))
    model = ModelSettings(name="m", source="slow:m", task="scripted")
    app = app_with(scripted_plugin, from_source(Flaky()), models=[model], model_repository=str(tmp_path))
    async with serving(app) as url, Client(url) as client:
        answer = await client.say("/v1/script", count=1)
        assert answer.status_code == 503
        assert "The network is away." in answer.text
        assert (await client.get("/v3/models/m")).json()["detail"].startswith("tried again after ")
        served = next(iter(app.state.models))
        await until(lambda: served.state is State.READY)
        assert (await client.say("/v1/script", count=1)).status_code == 200


async def test_a_server_that_waits_to_try_a_fetch_again_can_be_stopped(tmp_path: Path) -> None:
    source = Broken(SourceError("The network is away.", transient=True))
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(source), models=[model], model_repository=str(tmp_path))
    async with asyncio.timeout(5), serving(app):
        assert next(iter(app.state.models)).state is State.FAILED


@pytest.mark.parametrize("error", [SourceError("There is no model 'm'."), ZeroDivisionError("There is no model 'm'.")])
async def test_a_fetch_that_fails_fails_its_model_with_the_reason(tmp_path: Path, error: Exception) -> None:
    model = ModelSettings(name="m", source="slow:m")
    app = app_with(scripted_plugin, from_source(Broken(error)), models=[model], model_repository=str(tmp_path))
    async with serving(app) as url, Client(url) as client:
        shown = (await client.get("/v3/models/m")).json()
        assert shown["state"] == "failed"
        assert "There is no model 'm'." in shown["error"]


async def test_a_model_whose_task_nobody_has_fails_with_the_reason() -> None:
    app = app_with(models=[scripted_model()])
    async with serving(app):
        assert "task 'scripted' is not known" in next(iter(app.state.models)).problem


def test_options_are_checked_before_anything_loads() -> None:
    with pytest.raises(ConfigurationError, match=r"models\[0\]\.options\.slotz.*slots"):
        app_with(scripted_plugin, models=[scripted_model(slotz=3)])
