"""An endpoint: how one kind of request is parsed, executed and answered."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, cast

from starlette.requests import Request
from starlette.responses import Response

from ovms_core.answers import sse
from ovms_core.answers.header_texts import require_text
from ovms_core.answers.json_answers import UnwritableError, to_bytes
from ovms_core.errors import APIError
from ovms_core.models.call_models import CallModels
from ovms_core.off_loop import P, R, off_loop
from ovms_core.request_body.body import LARGE, B, declares_model
from ovms_core.request_body.parameters import read_parameters
from ovms_core.request_body.reading import read_json, received_bytes, wants_no_unknown_fields

if TYPE_CHECKING:
    from ovms_core.models.model import Model
    from ovms_core.models.registry import Models


_EVENT_STREAM: Final = "text/event-stream; charset=utf-8"
_WITHOUT_BODY: Final = ("GET", "HEAD", "DELETE")


class _Headers(dict[str, str]):
    """Tells who sets a header to something else than a text, at that line."""

    __slots__ = ()

    def __setitem__(self, name: str, value: str) -> None:
        require_text(name, value)
        super().__setitem__(name, value)


@dataclass(slots=True)
class Call(Generic[B]):
    """A parsed request. It knows nothing about HTTP.

    `model` is `None` only for endpoints without a task. `id` is the request's id, `user` the name of
    the API key that was used. `ignored` names the request's fields that have no effect, `warnings` are
    sentences for the client: what is in them when the answer begins goes into its headers ``x-ignored-params`` and
    ``x-warnings``. `context` is for what a parser or an interceptor passes on. A call is `large` if its body
    had more than 64 KiB.

    A call is `detached` if its work goes on when its answer has been given, or its client has left. Then the server
    neither waits for its first event nor closes its events: the endpoint's `unary` or `stream` takes them over, for
    instance into a task of its own, which closes them and which holds the model meanwhile (`Model.hold`).
    """

    endpoint: Endpoint[B]
    body: B
    model: Model | None
    stream: bool = False
    id: str = ""
    user: str | None = None
    ignored: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    context: dict[str, Any] = field(default_factory=dict)
    created: int = field(default_factory=lambda: int(time.time()))
    large: bool = False
    detached: bool = False
    models: CallModels = field(default_factory=CallModels)
    """The served models, for endpoints and interceptors that need another model than the request's."""
    headers: dict[str, str] = field(default_factory=_Headers)
    """Headers of the response, of any text: what an interceptor or an endpoint puts here before the first event. Those
    that the server sets itself stay as they are. An error has its own: `APIError.headers`."""

    def texts(self) -> Iterator[str]:
        """Every text in the request that a guardrail must read."""
        return self.endpoint.texts(self)

    async def off_loop(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return or raise what `function` does. If the call is `large`, the function runs in a thread, else directly.

        For work that grows with the size of the body.
        """
        return await off_loop(function, *args, **kwargs) if self.large else function(*args, **kwargs)

    def require_model(self) -> Model:
        """The model of the call. Endpoints with a task always have one."""
        assert self.model is not None, f"{type(self.endpoint).__name__} has no task"
        return self.model


Parser = Callable[[Request], Awaitable[Call[Any]]]
Executor = Callable[[Call[Any]], AsyncIterator[Any]]
Proceed = Callable[[Call[Any]], AsyncGenerator[Any, None]]
"""Executes a call inside an interceptor: its events, which the interceptor closes (`contextlib.aclosing`)."""
Interceptor = Callable[[Call[Any], Proceed], AsyncIterator[Any]]


class Formatter(ABC):
    """Turns a call's events into HTTP; an `Endpoint` is one. Streams are server-sent events unless it says otherwise.

    Example::

        class JsonLines(Formatter):
            stream_media_type = "application/x-ndjson"
            keep_alive = b"\\n"

            async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Response:
                return await call.endpoint.unary(call, events)

            async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
                async for event in events:
                    yield msgspec.json.encode(event) + b"\\n"

            def error(self, call: Call[Any], error: APIError) -> bytes:
                return error.document() + b"\\n"
    """

    stream_media_type: str = _EVENT_STREAM
    """What a stream is, as its ``Content-Type`` and the API's documentation say.

    If that is not server-sent events, the frames are bytes of that type, and there is neither a `keep_alive` nor an
    `error` frame unless the format has its own. An endpoint whose events are bytes needs no `stream`.
    """
    keep_alive: bytes | None = sse.PING
    """What is sent while a stream is silent: after ``prime_timeout`` the headers and this, then this every
    ``ping_interval``. With `None` nothing is, and the headers wait for the first frame: an error before that has its
    status. With ``b""`` only the headers do not wait."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if cls.stream_media_type != _EVENT_STREAM and cls.keep_alive is sse.PING:
            cls.keep_alive = None  # a comment of server-sent events would spoil it

    @abstractmethod
    async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Response:
        """The answer to a call that does not stream."""

    @abstractmethod
    def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        """The answer to a call that streams: an async generator of frames. Each is sent immediately."""

    def stream_headers(self, call: Call[Any]) -> dict[str, str]:
        """The headers of a stream, requested when it begins. They may contain any text.

        By default `stream_media_type`, and that nothing on the way may keep the stream or hold it back.
        """
        return {"content-type": self.stream_media_type, "cache-control": "no-cache", "x-accel-buffering": "no"}

    def error(self, call: Call[Any], error: APIError) -> bytes | None:
        """The last frame of a stream that fails after it has started; then the stream ends.

        `None` where the format has no such frame: the connection breaks off, which tells the client that something
        is missing.
        """
        return b"data: %b\n\n" % error.document() if self.stream_media_type == _EVENT_STREAM else None


class _ByMethod:
    """The default of `Endpoint.accepts`."""

    def __get__(self, endpoint: Endpoint[Any] | None, cls: type[Endpoint[Any]]) -> tuple[str, ...]:
        return () if cls.method in _WITHOUT_BODY else ("application/json",)


_JSON_IF_THERE_IS_A_BODY: Final = cast("tuple[str, ...]", _ByMethod())


class Endpoint(Formatter, Generic[B]):
    """Derive from it with `path`, `body`, `task`, `execute` and `to_json`; the rest has defaults.

    `path` is mounted under every prefix of the server (``/v3``, ``/v1``, ``/v3/v1``), and so are the
    paths in `also`; with `bare` they answer without a prefix as well. `task` names the tasks whose
    models can serve it. Only an endpoint that says `public` answers without an API key.

    Example::

        class Shout(Endpoint[ShoutBody]):
            path = "/shout"
            body = ShoutBody
            task = "shouting"

            def execute(self, call: Call[ShoutBody]) -> AsyncIterator[Said]:
                return call.require_model().submit(Say(call.body.text))

            def to_json(self, call: Call[ShoutBody], events: Sequence[Said]) -> object:
                return {"text": "".join(event.text for event in events)}
    """

    path: ClassVar[str]
    also: ClassVar[tuple[str, ...]] = ()
    bare: ClassVar[bool] = False
    method: ClassVar[str] = "POST"
    body: type[B]
    task: ClassVar[str | None] = None
    public: ClassVar[bool] = False
    streams: ClassVar[bool] = False
    """Whether the endpoint can stream. If so, its body has a field `stream`."""
    accepts: ClassVar[tuple[str, ...]] = _JSON_IF_THERE_IS_A_BODY
    """The media types of request bodies, for the API's documentation.

    With none, ``()``, requests have no body: the fields of `body` are the path's parameters (``/notes/{id}``) and those
    of the query (``?limit=5``). That is the default where `method` is GET, HEAD or DELETE. An array is written
    ``tag=a&tag=b`` or ``tag[]=a&tag[]=b``.
    """
    gives: ClassVar[tuple[str, ...]] = ("application/json",)
    """The media types of whole answers, for the API's documentation. The formatter has the type of streams."""
    response: ClassVar[Any] = None
    """The type of the whole answer, for the API's documentation: anything that `msgspec` knows."""

    async def parse(self, request: Request) -> Call[B]:
        """Read the HTTP request. Raises `APIError` 400, 404, 413 or 415."""
        if not self.accepts:
            return self.call(request, *read_parameters(request, self.body))
        return self.call(request, *await read_json(request, self.body))

    def call(self, request: Request, body: B, ignored: Sequence[str] = ()) -> Call[B]:
        """The call of a request whose body is known: finds the model by `body.model` and `task`.

        Raises `APIError` 400 for an unknown field where the server or the client wants none, 404 or 503 for the model.
        """
        if body.__dict__.get("_unknown") and wants_no_unknown_fields(request):
            body.refuse_unknown()
        models: Models = request.app.server.models
        state = request.scope.get("state", {})
        return Call(
            endpoint=self,
            body=body,
            model=models.resolve(body.model, self.task) if self.task else None,
            stream=body.__dict__.get("stream") is True,
            id=state.get("request_id") or uuid.uuid4().hex,
            user=state.get("user"),
            ignored=[*ignored, *self._unused_model(body), *body.without_effect()],
            large=received_bytes(request) > LARGE,
            models=CallModels(models),
        )

    def _unused_model(self, body: B) -> tuple[str, ...]:
        """Without a task no model is looked up; who uses the name by itself declares the field in its body."""
        unused = self.task is None and body.model is not None and not declares_model(type(body))
        return ("model",) if unused else ()

    @abstractmethod
    def execute(self, call: Call[B]) -> AsyncIterator[Any]:
        """Execute the call and return its events, the same for whole answers and streams.

        Return those of a model as they are (``return call.require_model().submit(…)``), or write an async generator.
        The server closes what is returned when the client disconnects.
        """

    def texts(self, call: Call[B]) -> Iterator[str]:
        """Every text in the request that a guardrail must read; by default every string of the body."""
        yield from _strings(call.body.model_dump(exclude={"model"}))

    def to_json(self, call: Call[B], events: Sequence[Any]) -> Any:
        """The whole answer, as anything that `msgspec.json` encodes; by default ``{"events": [...]}``.

        An endpoint that defines neither this nor `unary` is warned of at startup.
        """
        return {"events": events}

    async def unary(self, call: Call[B], events: AsyncIterator[Any]) -> Response:
        """The answer to a call that does not stream."""
        document = self.to_json(call, [event async for event in events])
        try:
            content = to_bytes(document)
        except UnwritableError as error:
            raise error.told_of("the answer", self.to_json) from None
        return Response(content, media_type="application/json")

    async def stream(self, call: Call[B], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
        """The answer to a call that streams, as SSE frames; by default one for each event, then ``[DONE]``."""
        if self.stream_media_type != _EVENT_STREAM:
            async for event in events:
                yield event
            return
        async for event in events:
            try:
                frame = sse.data(event)
            except UnwritableError as error:
                raise error.told_of(f"the event {type(event).__name__}") from None
            yield frame
        yield sse.DONE


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
