"""A load generator that costs as little as Python allows: raw sockets and one selector."""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def request(path: str, document: Any, *, headers: Sequence[str] = ()) -> bytes:
    """A POST request with a JSON body, as bytes."""
    body = json.dumps(document).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: bench",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class Stream:
    """One streamed answer: all bytes, and for each piece how many had come by when, in seconds since all were asked."""

    data: bytearray = field(default_factory=bytearray)
    arrivals: list[tuple[int, float]] = field(default_factory=list)

    def take(self, piece: bytes, now: float) -> None:
        """A piece has come."""
        self.data += piece
        self.arrivals.append((len(self.data), now))

    def when(self, mark: bytes) -> float:
        """When `mark` was there for the first time. Raises `ValueError` if it never was."""
        end = self.data.index(mark) + len(mark)
        return next(now for size, now in self.arrivals if size >= end)


def stream_all(port: int, requests: Sequence[bytes]) -> tuple[list[Stream], float]:
    """Send all requests at once, read the chunked answers to their ends; the streams and the seconds it took."""
    selector = selectors.DefaultSelector()
    streams = []
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in requests]
    start = time.perf_counter()
    for sock, raw in zip(sockets, requests, strict=True):
        sock.sendall(raw)
        stream = Stream()
        streams.append(stream)
        selector.register(sock, selectors.EVENT_READ, stream)
    left = len(sockets)
    while left:
        for key, _ in selector.select():
            data = key.fileobj.recv(65536)  # type: ignore[union-attr]
            stream = key.data
            stream.take(data, time.perf_counter() - start)
            if not data or data.endswith(b"0\r\n\r\n"):
                selector.unregister(key.fileobj)
                left -= 1
    elapsed = time.perf_counter() - start
    for sock in sockets:
        sock.close()
    for stream in streams:
        _require_ok(stream.data)
    return streams, elapsed


@dataclass(slots=True)
class Client:
    """One kept-alive connection that asks for one thing after the other."""

    sock: socket.socket
    answer: bytes = b""

    def ask(self, raw: bytes) -> None:
        self.answer = b""
        self.sock.sendall(raw)

    def hear(self) -> bytes | None:
        """Read what is there; the answer's body once it is complete."""
        self.answer += self.sock.recv(1 << 16)
        head, found, body = self.answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return None
        _require_ok(head)
        return body


def answer_all(port: int, requests: Sequence[bytes], *, clients: int) -> tuple[list[bytes], float]:
    """Let `clients` send all requests, each one at a time; the bodies in the order they came, and the seconds."""
    waiting = list(requests)
    selector = selectors.DefaultSelector()
    each = [Client(socket.create_connection(("127.0.0.1", port))) for _ in range(min(clients, len(requests)))]
    start = time.perf_counter()
    for client in each:
        selector.register(client.sock, selectors.EVENT_READ, client)
        client.ask(waiting.pop())
    bodies: list[bytes] = []
    while len(bodies) < len(requests):
        for key, _ in selector.select():
            body = key.data.hear()
            if body is None:
                continue
            bodies.append(body)
            if waiting:
                key.data.ask(waiting.pop())
    seconds = time.perf_counter() - start
    for client in each:
        client.sock.close()
    return bodies, seconds


def _require_ok(answer: bytes | bytearray) -> None:
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"unexpected answer: {bytes(answer[:300])!r}")


def requests_per_second(port: int, raw: bytes, *, connections: int, seconds: float) -> float:
    """How many times a second `raw` is answered, with a JSON object, over `connections` kept-alive connections."""
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ, b"")
        sock.sendall(raw)
    answers = 0
    start = time.perf_counter()
    while (now := time.perf_counter()) - start < seconds:
        for key, _ in selector.select():
            data = key.data + key.fileobj.recv(65536)  # type: ignore[union-attr]
            complete = data.endswith(b"}")
            selector.modify(key.fileobj, selectors.EVENT_READ, b"" if complete else data)
            if complete:
                _require_ok(data)
                answers += 1
                key.fileobj.sendall(raw)  # type: ignore[union-attr]
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return answers / (now - start)
