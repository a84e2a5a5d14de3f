"""A server's HTTP interface, for those who ask it: plain HTTP, nothing repaired on the way."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self
from urllib.parse import urlsplit

from ovms_core.client.frames import DONE, Frame, parse_frames

_CONNECT_TIMEOUT: Final = 10.0
_JSON: Final = {"content-type": "application/json"}
_SHOWN: Final = 160

BROKEN: Final = (OSError, http.client.HTTPException)
"""What is raised when a server cannot be reached, or breaks off in the middle of an answer."""


class AddressError(ValueError):
    """The address of a server is malformed. The message shows the right form."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def accepted(self) -> Self:
        """The response itself. Raises `RefusedError` when it is an error."""
        if self.status >= 400:
            raise RefusedError(self)
        return self

    def json(self) -> Any:
        """The document in it. Raises `ValueError`."""
        return json.loads(self.content)

    @property
    def message(self) -> str:
        """What the server says about an error, in one short line."""
        try:
            said = error_message(self.json())
        except ValueError:
            said = None
        return " ".join((said or "without a message").split())[:_SHOWN]


class RefusedError(Exception):
    """The server answered with an error. The message has its status and its own words."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status}: {answer.message}")
        self.answer = answer


@dataclass(slots=True)
class Stream:
    """A response as server-sent events."""

    headers: Mapping[str, str]
    frames: Iterable[Frame]

    def documents(self) -> Iterator[Any]:
        """The JSON documents of the frames up to ``[DONE]``; comments are left out. Raises `ValueError`."""
        return (frame.document() for frame in self.frames if frame.data not in ("", DONE))

    def read(self) -> Self:
        """The same stream, received to its end."""
        self.frames = list(self.frames)
        return self

    @property
    def is_done(self) -> bool:
        """Whether a stream that was received ended with ``[DONE]``."""
        return [frame.data for frame in self.frames][-1:] == [DONE]


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A server's HTTP interface under one prefix; `root` is the same server without it.

    `timeout` is how many seconds it may be silent. All methods raise one of `BROKEN` when nothing is answered.
    """

    scheme: str
    netloc: str
    prefix: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 300.0

    @classmethod
    def at(cls, url: str, api_key: str | None = None, *, prefix: str = "/v1") -> Self:
        """The server at `url`; without a path in it, under `prefix`. Raises `AddressError`."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise AddressError(f"'{url}' is no address of a server: write it like http://127.0.0.1:8000{prefix}.")
        netloc = parts.netloc.rpartition("@")[2]  # what stands before it is nobody's business to see
        return cls(parts.scheme, netloc, parts.path.rstrip("/") or prefix, api_key)

    @property
    def url(self) -> str:
        """Where it is, without the prefix."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def root(self) -> RemoteServer:
        return replace(self, prefix="")

    @property
    def stranger(self) -> RemoteServer:
        """The same server for a client without a key."""
        return replace(self, api_key=None)

    def send(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request, and whatever is answered."""
        with closing(self._connect()) as connection:
            response = self._ask(connection, method, path, content, headers)
            return Answer(response.status, _lower(response), response.read())

    def send_json(self, path: str, body: Any) -> Answer:
        """`body` as JSON, and whatever is answered."""
        return self.send("POST", path, json.dumps(body).encode(), _JSON)

    def get(self, path: str) -> Any:
        """The document at `path`. Raises `RefusedError`."""
        return self.send("GET", path).accepted().json()

    def post(self, path: str, body: Any) -> Any:
        """The document answered to `body`. Raises `RefusedError`."""
        return self.send_json(path, body).accepted().json()

    @contextmanager
    def open_stream(self, path: str, body: Mapping[str, Any]) -> Iterator[Stream]:
        """The stream answered to `body`; the end of the block closes the connection. Raises `RefusedError`."""
        content = json.dumps({**body, "stream": True}).encode()
        with closing(self._connect()) as connection, self._ask(connection, "POST", path, content, _JSON) as response:
            headers = _lower(response)
            if response.status >= 400:
                Answer(response.status, headers, response.read()).accepted()
            yield Stream(headers, parse_frames(response))

    def stream(self, path: str, body: Mapping[str, Any]) -> Stream:
        """The stream answered to `body`, received to its end. Raises `RefusedError`."""
        with self.open_stream(path, body) as stream:
            return stream.read()

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.netloc, timeout=min(self.timeout, _CONNECT_TIMEOUT))
        connection.connect()
        connection.sock.settimeout(self.timeout)
        return connection

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


def _lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def error_message(document: Any) -> str | None:
    """What an error says, in the shapes that servers have for it; `None` when it says nothing."""
    error = document.get("error", document) if isinstance(document, dict) else None
    said = error.get("message") or error.get("detail") if isinstance(error, dict) else error
    return str(said) if said else None
