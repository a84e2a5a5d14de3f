"""Runs an application until it is told to stop: listening, signals, draining, the report at the start."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Iterator
from itertools import count
from typing import Any, Protocol

import uvicorn

from ovms_core.app import Application, create_app
from ovms_core.configuration import ConfigurationError
from ovms_core.settings import Settings
from ovms_core.watch.lag import LagWatch
from ovms_core.watch.signals import LastResort, heard

log = logging.getLogger("ovms")

_LAST_WORDS = 1.0
_MOST_FILES = 65536
_PATIENCE = 15.0  # seconds, after `drain_timeout`, for plugins to close and workers to end
_PATIENCE_AT_ONCE = 3.0
_KEEP_ALIVE = 120
"""Seconds that an idle connection stays open. Who closes first must be the client: a request that is on its way to a
closing connection is lost. Go's client waits 90 seconds, load balancers 60, uvicorn would wait 5."""


class Report(Protocol):
    """Tells the operator how the start goes."""

    def listening(self, url: str, app: Application) -> None:
        """The server listens; its models may still be on their way."""

    def progress(self, app: Application) -> None:
        """Called a few times a second until the models are settled."""

    def settled(self, url: str, app: Application) -> None:
        """Every model is ready or has failed."""


class DrainingServer(uvicorn.Server):
    """uvicorn, but a signal drains the application first and ends the process with status 0.

    A second signal ends what is still running.
    """

    def __init__(self, config: uvicorn.Config, app: Application) -> None:
        super().__init__(config)
        self._app = app
        self._lag_watch = LagWatch(app.server.metrics.stalls)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM for as long as the server runs: also while something holds the event loop."""
        loop, last_resort, signals = asyncio.get_running_loop(), LastResort(), count(1)

        def hear() -> None:
            at_once = next(signals) > 1
            last_resort.end_in(_PATIENCE_AT_ONCE if at_once else self._drain_timeout + _PATIENCE)
            loop.call_soon_threadsafe(self.drain)

        with heard(hear):
            yield

    @property
    def _drain_timeout(self) -> float:
        return self._app.server.settings.drain_timeout

    def drain(self) -> None:
        """Stop accepting, finish what runs; called again: stop at once."""
        if self.should_exit:
            log.warning("stopping at once")
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # that tasks are cut short is as wanted
            self.force_exit = True
            return
        admission = self._app.server.admission
        log.info("stopping: %d requests in flight have %g s", admission.in_flight, self._drain_timeout)
        admission.draining = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; from then on there is somebody who waits when something holds the event loop."""
        await super().startup(sockets)
        self._lag_watch.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; then a client that does not read what it is told in the end cannot keep the process."""
        await super().shutdown(sockets)
        self._lag_watch.stop()
        for connection in self.server_state.connections:
            asyncio.get_running_loop().call_later(_LAST_WORDS, connection.transport.abort)


def run(settings: Settings, *, report: Report) -> int:
    """Serve until a signal comes; the exit status.

    Raises `PluginError` and `ConfigurationError` for what must be put right before the server can start.
    """
    app = create_app(settings)
    config = configure(app)
    gc.freeze()  # what is here stays: to go through it again and again would hold every request up for 80 ms
    _allow_many_connections()
    with (
        listen(settings.host, settings.port) as listener,
        asyncio.Runner(loop_factory=config.get_loop_factory()) as runner,
    ):
        return runner.run(_serve(DrainingServer(config, app), listener, app, report))


def _allow_many_connections() -> None:
    """Raise the limit of open files as far as this process may: 1024, the usual one, is less than ``max_requests``."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # not on every platform

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def configure(app: Application) -> uvicorn.Config:
    """How uvicorn serves `app`: its limits, and no log of its own for every request."""
    settings: Settings = app.server.settings
    return uvicorn.Config(
        app,
        http=_protocol(),
        log_config=None,
        log_level="warning" if settings.log_level == "info" else settings.log_level,  # it repeats what we say
        access_log=False,
        server_header=False,
        lifespan="on",
        ws=_sockets(app),
        ws_max_size=settings.max_body_size,
        ws_per_message_deflate=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.drain_timeout) or 1,
    )


def _protocol() -> Any:
    try:
        from ovms_core.http.protocol import BoundedProtocol
    except ImportError:  # no httptools on this platform: h11 has a limit of its own
        return "h11"
    return BoundedProtocol


def _sockets(app: Application) -> Any:
    """The protocol of WebSockets, which is not even imported where there are none."""
    if not app.server.routes.any_sockets():
        return "none"
    from ovms_core.http.websocket_protocol import DrainingWebSocket

    return DrainingWebSocket


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `ConfigurationError` when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = f"cannot listen on {host}:{port}: {error.strerror}"
        raise ConfigurationError(f"{reason}. Choose another with --host and --port.") from None


async def _serve(server: DrainingServer, listener: socket.socket, app: Application, report: Report) -> int:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    telling = asyncio.create_task(_tell(server, url, app, report))
    try:
        await server.serve([listener])
    finally:
        telling.cancel()
    return 0 if server.started else 1


async def _tell(server: DrainingServer, url: str, app: Application, report: Report) -> None:
    try:
        await _tell_as_it_goes(server, url, app, report)
    except (Exception, SystemExit) as error:  # rich wants to end the process when nobody reads what it prints
        reason = repr(error) if isinstance(error, Exception) else "nobody reads it"
        log.warning("the report of the start cannot be written: %s", reason)


async def _tell_as_it_goes(server: DrainingServer, url: str, app: Application, report: Report) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    report.listening(url, app)
    settled = asyncio.create_task(app.server.lifecycle.settled())
    while not settled.done():
        await asyncio.wait({settled}, timeout=0.2)
        report.progress(app)
    if not server.should_exit:
        report.settled(url, app)
