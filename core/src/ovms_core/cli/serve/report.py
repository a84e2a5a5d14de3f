"""What ``ovms serve`` tells at its start: models, plugins, routes, and a request to try. Plain data in, text out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ovms_core.cli.output import print_table

if TYPE_CHECKING:
    from rich.console import Console

_PREFIX = "/v3"
_EXAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "text_generation": (
        "/chat/completions",
        {"messages": [{"role": "user", "content": "What is OpenVINO?"}], "max_tokens": 64},
    ),
    "embeddings": ("/embeddings", {"input": ["What is OpenVINO?"]}),
    "rerank": ("/rerank", {"query": "What is OpenVINO?", "documents": ["A toolkit for inference.", "A wine."]}),
    "image_generation": ("/images/generations", {"prompt": "a red circle"}),
}
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - replaced, not listened on


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A served model; the `…_from` say where a decision came from (``detected``, ``ovms.yaml, line 3``)."""

    name: str
    task: str
    task_from: str
    device: str
    device_from: str
    state: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class PluginRow:
    """A plugin; `reason` says why it is not active."""

    name: str
    version: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RouteRow:
    """A route, and the plugin that has it."""

    method: str
    path: str
    plugin: str


def print_models(console: Console, rows: Sequence[ModelRow]) -> None:
    """The table of models."""
    columns = ("name", "task", "device", "state", "remark")
    cells = [
        (row.name, _decided(row.task, row.task_from), _decided(row.device, row.device_from), row.state, row.remark)
        for row in rows
    ]
    print_table(console, "Models", columns, cells)
    if not rows:
        console.print("No models are served: name some ('ovms serve org/name'), or add --starter.\n", soft_wrap=True)


def _decided(value: str, source: str) -> str:
    """`value` and who decided it; nothing while it is not known."""
    return f"{value} ({source})" if value else ""


def print_plugins(console: Console, rows: Sequence[PluginRow]) -> None:
    """The table of plugins."""
    columns = ("name", "version", "state", "reason")
    print_table(console, "Plugins", columns, [(r.name, r.version, r.state, r.reason) for r in rows])


def print_routes(console: Console, rows: Iterable[RouteRow]) -> None:
    """The table of routes, a line for each plugin and method."""
    paths: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        paths.setdefault((row.plugin, row.method), []).append(row.path)
    cells = [(plugin, method, "  ".join(found)) for (plugin, method), found in paths.items()]
    print_table(console, "Routes (those under /v3 also under /v1)", ("plugin", "method", "paths"), cells)


def print_invitation(console: Console, url: str, models: Sequence[ModelRow], *, needs_key: bool) -> None:
    """Where the server listens, and a command that works."""
    console.print(f"Serving at {url}. Try:\n", soft_wrap=True)
    console.print(f"  {example_request(url, models, needs_key=needs_key)}\n", soft_wrap=True)


def example_request(url: str, models: Sequence[ModelRow], *, needs_key: bool) -> str:
    """A curl command for the first model that can serve it; the list of models when there is none."""
    words = ["curl", "-s"]
    if needs_key:
        words.append('-H "Authorization: Bearer $OVMS_API_KEY"')  # so quoted that the shell puts the key in
    base = reachable(url) + _PREFIX
    model = next((row for row in models if row.state == "ready" and row.task in _EXAMPLES), None)
    if model is None:
        return " ".join([*words, f"{base}/models"])
    path, body = _EXAMPLES[model.task]
    document = json.dumps({"model": model.name, **body})
    return " ".join([*words, base + path, "-H 'Content-Type: application/json'", "-d", shlex.quote(document)])


def reachable(url: str) -> str:
    """`url` as this machine can use it: every address, ``0.0.0.0``, is nowhere to connect to."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return url.replace(parts.netloc, f"{_EVERY_ADDRESS[host]}:{parts.port}") if host in _EVERY_ADDRESS else url
