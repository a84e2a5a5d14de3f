"""A small HTTP server that answers what a test says, right or wrong, down to the byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, str, bytes]
Answering = Callable[[str, dict[str, Any]], Reply | None]
"""Given a path and a body, the status, the content type and the content; or nothing, and the connection breaks."""


def document(value: Any, status: int = 200) -> Reply:
    """`value` as a JSON answer."""
    return status, "application/json", json.dumps(value).encode()


def events(*frames: bytes) -> Reply:
    """`frames` as a stream of server-sent events."""
    return 200, "text/event-stream", b"".join(frame + b"\n\n" for frame in frames)


def chunk(text: str, **more: Any) -> bytes:
    """A frame of a chat stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None, **more}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode()


def message(text: str, finish_reason: str = "stop") -> Reply:
    """A chat answer in one piece."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return document({**head, "choices": [choice], "usage": usage})


def _loaded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return {}


@contextmanager
def answering(answer: Answering) -> Iterator[str]:
    """The URL of a server that gives these answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(answer(self.path, {}))

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            self._reply(answer(self.path, _loaded(content)))

        def _reply(self, reply: Reply | None) -> None:
            if reply is None:
                return
            status, kind, content = reply
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
