"""A server's HTTP interface, as the command line uses it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

_PREFIX = "/v3"
_TIMEOUT = 10.0
_SILENCE = 600.0  # seconds without a byte; a busy server sends a comment every few


class ServerError(Exception):
    """The server cannot be reached, or refused. The message says what to do about it."""


class Client:
    """Talks to the server at `url`; without a path in it, under ``/v3``. Raises `ServerError`."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ServerError(f"'{url}' is no address of a server: write it like http://127.0.0.1:8000.")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._address = (parts.hostname, parts.port)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._path = parts.path.rstrip("/") or _PREFIX
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    def get(self, path: str, timeout: float = _TIMEOUT) -> Any:
        """The JSON document at `path`."""
        with closing(self._connect(timeout)) as connection:
            return _document(self._answer(connection, "GET", path).read())

    def stream(self, path: str, body: dict[str, Any]) -> Generator[Any, None, None]:
        """The JSON documents of a stream of server-sent events that ends with ``[DONE]``.

        Closing the generator ends the request.
        """
        with closing(self._connect(_SILENCE)) as connection:
            response = self._answer(connection, "POST", path, json.dumps(body).encode())
            try:
                yield from _documents(response)
            except (OSError, http.client.HTTPException) as error:
                raise ServerError(f"The connection to {self.url} broke in the middle of the answer: {error}.") from None

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self._address
        connection = self._kind(host, port, timeout=min(timeout, _TIMEOUT))
        try:
            connection.connect()
        except OSError as error:
            raise self._unreachable(error) from None
        connection.sock.settimeout(timeout)
        return connection

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
    ) -> http.client.HTTPResponse:
        headers = {**self._headers, **({"content-type": "application/json"} if body else {})}
        try:
            connection.request(method, self._path + path, body, headers)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        if response.status >= 400:
            raise ServerError(_refusal(response, self.url))
        return response

    def _unreachable(self, error: Exception) -> ServerError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ServerError(
            f"No server answers at {self.url} ({reason}): start one with 'ovms serve', or give its --url."
        )


def _documents(lines: Iterable[bytes]) -> Iterator[Any]:
    """The data of server-sent events until ``[DONE]``. Raises `ServerError` for an error frame.

    Raises `ConnectionError` when they end before: a server that is killed closes its connections in good order.
    """
    data: list[str] = []
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith("data:"):
            data.append(text.removeprefix("data:").removeprefix(" "))
        elif not text and data:
            joined = "\n".join(data)
            data.clear()
            if joined == "[DONE]":
                return
            yield _checked(_document(joined))
    raise ConnectionError("it ended early")


def _checked(document: Any) -> Any:
    if isinstance(document, dict) and document.get("error"):
        raise ServerError(_message(document) or "The server ended the answer with an error.")
    return document


def _document(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ServerError("The answer is not JSON: this is not a server of OpenAI's interface.") from None


def _refusal(response: http.client.HTTPResponse, url: str) -> str:
    try:
        message = _message(json.loads(response.read()))
    except ValueError:
        message = None
    hint = " Give it with --api-key or OVMS_API_KEY." if response.status == 401 else ""
    return f"{message or f'{url} answers {response.status} {response.reason}.'}{hint}"


def _message(document: Any) -> str | None:
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else None
