"""The server under examination: plain HTTP, nothing repaired on the way."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self
from urllib.parse import urlsplit

_PREFIX: Final = "/v1"
_DONE: Final = b"data: [DONE]"


class AddressError(ValueError):
    """An address that is none. The message says what one looks like."""


class RefusedError(Exception):
    """The server answered with an error. The message has its status and its own words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The document in it. Raises `ValueError`."""
        return json.loads(self.content)


@dataclass(slots=True)
class Stream:
    """A response as server-sent events: every frame as the bytes that came, without the blank line after it."""

    headers: Mapping[str, str]
    frames: Iterable[bytes]

    def documents(self) -> Iterator[Any]:
        """The JSON documents of the frames up to ``[DONE]``; comments are left out. Raises `ValueError`."""
        for frame in self.frames:
            data = b"\n".join(
                line.removeprefix(b"data:").strip() for line in frame.split(b"\n") if line.startswith(b"data:")
            )
            if data and data != b"[DONE]":
                yield json.loads(data)

    def read(self) -> Self:
        """The same stream, received to its end."""
        self.frames = list(self.frames)
        return self

    @property
    def is_done(self) -> bool:
        """Whether a stream that was received ended with ``[DONE]``."""
        return [*self.frames][-1:] == [_DONE]


@dataclass(frozen=True, slots=True)
class Server:
    """A server's HTTP interface under one prefix; `root` is the same server without it."""

    scheme: str
    netloc: str
    prefix: str = _PREFIX
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 300.0

    @classmethod
    def at(cls, url: str, api_key: str | None = None) -> Self:
        """The server at `url`; without a path in it, under ``/v1``. Raises `AddressError`."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise AddressError(f"'{url}' is no address of a server: write it like http://127.0.0.1:8000/v1.")
        return cls(parts.scheme, parts.netloc, parts.path.rstrip("/") or _PREFIX, api_key)

    @property
    def root(self) -> Server:
        return replace(self, prefix="")

    @property
    def stranger(self) -> Server:
        """The same server for a client without a key."""
        return replace(self, api_key=None)

    def send(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request, and whatever is answered. Raises `OSError` and `HTTPException` when nothing is."""
        with closing(self._connect()) as connection:
            response = self._ask(connection, method, path, content, headers)
            return Answer(response.status, _lower(response), response.read())

    def send_json(self, path: str, body: Any) -> Answer:
        """`body` as JSON, and whatever is answered."""
        return self.send("POST", path, json.dumps(body).encode(), _JSON)

    def get(self, path: str) -> Any:
        """The document at `path`. Raises `RefusedError`."""
        return _accepted(self.send("GET", path)).json()

    def post(self, path: str, body: Any) -> Any:
        """The document answered to `body`. Raises `RefusedError`."""
        return _accepted(self.send_json(path, body)).json()

    @contextmanager
    def open_stream(self, path: str, body: Mapping[str, Any]) -> Iterator[Stream]:
        """The stream answered to `body`; the end of the block closes the connection. Raises `RefusedError`."""
        content = json.dumps({**body, "stream": True}).encode()
        with closing(self._connect()) as connection, self._ask(connection, "POST", path, content, _JSON) as response:
            headers = _lower(response)
            if response.status >= 400:
                _accepted(Answer(response.status, headers, response.read()))
            yield Stream(headers, _frames(response))

    def stream(self, path: str, body: Mapping[str, Any]) -> Stream:
        """The stream answered to `body`, received to its end. Raises `RefusedError`."""
        with self.open_stream(path, body) as stream:
            return stream.read()

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
        return kind(self.netloc, timeout=self.timeout)

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> http.client.HTTPResponse:
        key = {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        connection.request(method, self.prefix + path, content, {**key, **(headers or {})})
        return connection.getresponse()


_JSON: Final = {"content-type": "application/json"}


def _lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _frames(lines: Iterable[bytes]) -> Iterator[bytes]:
    frame: list[bytes] = []
    for line in lines:
        if bare := line.rstrip(b"\r\n"):
            frame.append(bare)
        elif frame:
            yield b"\n".join(frame)
            frame = []
    if frame:
        yield b"\n".join(frame)


def _accepted(answer: Answer) -> Answer:
    if answer.status >= 400:
        raise RefusedError(f"{answer.status}: {message_of(answer)}")
    return answer


def message_of(answer: Answer) -> str:
    """What the server says about an error, in one short line."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    error = document.get("error", document) if isinstance(document, dict) else None
    said = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    return " ".join(str(said or "without a message").split())[:160]
