"""A server's HTTP interface, as the command line uses it: what goes wrong is told in a sentence."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import responses
from typing import Any

from ovms_core.client.frames import DONE, Frame
from ovms_core.client.http import BROKEN, AddressError, Answer, RefusedError, RemoteServer, error_message

_PREFIX = "/v3"
_TIMEOUT = 10.0
_SILENCE = 600.0  # seconds without a byte; a busy server sends a comment every few


class ServerError(Exception):
    """The server cannot be reached, or refused. The message says what to do about it."""


class Client:
    """Talks to the server at `url`; without a path in it, under ``/v3``. Raises `ServerError`."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        try:
            self._server = RemoteServer.at(url, api_key, prefix=_PREFIX)
        except AddressError as error:
            raise ServerError(str(error)) from None
        self.url = self._server.url

    def get(self, path: str, timeout: float = _TIMEOUT) -> Any:
        """The JSON document at `path`."""
        with self._telling():
            return replace(self._server, timeout=timeout).get(path)

    def stream(self, path: str, body: dict[str, Any]) -> Generator[Any, None, None]:
        """The JSON documents of a stream of server-sent events that ends with ``[DONE]``.

        Closing the generator ends the request.
        """
        with closing(self.frames(path, body)) as frames:
            for frame in frames:
                if frame.data == DONE:
                    return
                if frame.data:
                    yield _document(frame)
        raise self._broken("it ended early")  # a server that is killed closes its connections in good order

    def frames(self, path: str, body: dict[str, Any]) -> Generator[Frame, None, None]:
        """Every frame of a stream of server-sent events, comments too, to its end.

        Closing the generator ends the request.
        """
        server = replace(self._server, timeout=_SILENCE)
        with self._telling(), server.open_stream(path, body) as stream:
            try:
                for frame in stream.frames:
                    if '"error"' in frame.data:
                        _require_no_error(frame)
                    yield frame
            except BROKEN as error:
                raise self._broken(error) from None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except RefusedError as error:
            raise ServerError(_refusal(error.answer, self.url)) from None
        except BROKEN as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ServerError(
                f"No server answers at {self.url} ({reason}): start one with 'ovms serve', or give its --url."
            ) from None
        except ValueError:
            raise ServerError(_NOT_JSON) from None

    def _broken(self, reason: object) -> ServerError:
        return ServerError(f"The connection to {self.url} broke in the middle of the answer: {reason}.")


_NOT_JSON = "The answer is not JSON: this is not a server of OpenAI's interface."


def _document(frame: Frame) -> Any:
    try:
        return frame.document()
    except ValueError:
        raise ServerError(_NOT_JSON) from None


def _require_no_error(frame: Frame) -> None:
    document = _document(frame)
    if isinstance(document, dict) and document.get("error"):
        raise ServerError(error_message(document) or "The server ended the answer with an error.")


def _refusal(answer: Answer, url: str) -> str:
    try:
        message = error_message(answer.json())
    except ValueError:
        message = None
    hint = " Give it with --api-key or OVMS_API_KEY." if answer.status == 401 else ""
    return f"{message or f'{url} answers {answer.status} {responses.get(answer.status, str())}.'}{hint}"
