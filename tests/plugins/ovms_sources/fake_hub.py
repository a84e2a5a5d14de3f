"""A local stand-in for the Hugging Face Hub's HTTP interface, with faults on demand.

It speaks what huggingface_hub uses: a model's description with its files' sizes and hashes, its tree, and
the files by ``resolve``, those in Git LFS by way of a redirect, with ranges.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LFS = (".bin", ".gguf", ".onnx", ".safetensors")
_PIECE = 1 << 16


@dataclass
class FakeHub:
    """What the hub holds, what is to go wrong, and what has been asked of it."""

    url: str
    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refusals: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    drop_after: dict[str, list[int]] = field(default_factory=dict)
    """Bytes after which the connection breaks, by file; one entry a request."""
    stall_after: dict[str, int] = field(default_factory=dict)
    claimed_sizes: dict[str, int] = field(default_factory=dict)
    corrupt: set[str] = field(default_factory=set)
    stalled: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    served: dict[str, int] = field(default_factory=dict)
    """Bytes of each file that were sent, over all requests."""
    tokens: list[str | None] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def sha(self, model: str) -> str:
        content = b"".join(name.encode() + data for name, data in sorted(self.models[model].items()))
        return hashlib.sha1(content).hexdigest()

    def describe(self, model: str) -> dict[str, Any]:
        files = [_sibling(name, data, self.claimed_sizes) for name, data in self.models[model].items()]
        return {"id": model, "modelId": model, "sha": self.sha(model), "siblings": files, "private": False, "tags": []}

    def tree(self, model: str) -> list[dict[str, Any]]:
        return [_tree_entry(name, data) for name, data in self.models[model].items()]


def _git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _lfs(name: str, data: bytes) -> dict[str, Any] | None:
    if not name.endswith(LFS):
        return None
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 134}


def _sibling(name: str, data: bytes, claimed: dict[str, int]) -> dict[str, Any]:
    lfs = _lfs(name, data)
    if lfs and name in claimed:
        lfs["size"] = claimed[name]
    pointer = b"pointer to " + name.encode() if lfs else data
    return {"rfilename": name, "size": len(data), "blobId": _git_id(pointer)} | ({"lfs": lfs} if lfs else {})


def _tree_entry(name: str, data: bytes) -> dict[str, Any]:
    lfs = _lfs(name, data)
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(data), "oid": _git_id(data)}
    return entry | ({"lfs": {**lfs, "oid": lfs["sha256"]}} if lfs else {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        self.hub.tokens.append(self.headers.get("authorization"))
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            self._describe(match[1], match[2], match[3])
        elif match := re.fullmatch(r"(/cdn)?/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(match[2], match[3], match[4], redirected=bool(match[1]))
        else:
            self._send(404, b"{}")

    def _describe(self, model: str, kind: str | None, revision: str | None) -> None:
        if model in self.hub.refusals:
            status, headers = self.hub.refusals[model]
            self._send(status, b"{}", headers)
        elif model not in self.hub.models:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif revision not in {None, "main", self.hub.sha(model)}:
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            document = self.hub.tree(model) if kind == "tree" else self.hub.describe(model)
            self._send(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _file(self, model: str, revision: str, name: str, *, redirected: bool) -> None:
        data = self.hub.models.get(model, {}).get(name)
        if data is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        etag = hashlib.sha256(data).hexdigest() if name.endswith(LFS) else _git_id(data)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": self.hub.sha(model), "Accept-Ranges": "bytes"}
        if name.endswith(LFS) and not redirected:
            linked = {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(len(data))}
            self._send(302, b"", headers | linked | {"Location": f"{self.hub.url}/cdn{self.path}"})
            return
        self._content(name, data, headers)

    def _content(self, name: str, data: bytes, headers: dict[str, str]) -> None:
        start = 0
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", "")):
            start = int(match[1])
            headers |= {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        if name in self.hub.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self._send(206 if start else 200, data[start:], headers, name)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None, name: str = "") -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self._write(body, name)

    def _write(self, body: bytes, name: str) -> None:
        drops = self.hub.drop_after.get(name)
        end = drops.pop(0) if drops else len(body)
        stall = self.hub.stall_after.get(name)
        for at in range(0, min(end, len(body)), _PIECE):
            if stall is not None and at >= stall:
                self.hub.stalled.set()
                self.hub.go_on.wait(60)
                stall = None
            piece = body[at : min(at + _PIECE, end)]
            try:
                self.wfile.write(piece)
            except OSError:  # the client is gone
                self.close_connection = True
                return
            if name:
                self.hub.served[name] = self.hub.served.get(name, 0) + len(piece)
        self.close_connection = self.close_connection or end < len(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error of the test."""


@contextmanager
def serve_hub() -> Iterator[FakeHub]:
    """A hub at a free local port."""
    server = _Server(("127.0.0.1", 0), _Handler)
    hub = FakeHub(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"hub": hub})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
