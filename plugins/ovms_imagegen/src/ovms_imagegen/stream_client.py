"""Reads a stream of image events, and the comments in it that tell the progress."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ovms_core.command import ServerError

_PROGRESS: Final = re.compile(r": progress image=(\d+) step=(\d+) total=(\d+)")
_SILENCE: Final = 600.0


def events(url: str, body: dict[str, Any], api_key: str | None) -> Iterator[dict[str, Any]]:
    """The events of ``POST /images/generations``; progress as ``{"type": "progress", "index", "step", "total"}``.

    Raises `ServerError`.
    """
    request = Request(_address(url), json.dumps(body).encode(), {"content-type": "application/json"})
    if api_key:
        request.add_header("authorization", f"Bearer {api_key}")
    try:
        with urlopen(request, timeout=_SILENCE) as response:
            yield from parse(response)
    except HTTPError as error:
        raise ServerError(_message(error.read()) or f"The server answers {error.code} {error.reason}.") from None
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise ServerError(f"No answer from {url} ({reason}): start a server with 'ovms serve', or set --url.") from None


def parse(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The events in the lines of a stream; every event has its data on one line. Raises `ServerError`."""
    for line in lines:
        if line.startswith(b"data: {"):
            event = json.loads(line.removeprefix(b"data: "))
            if "error" in event:
                raise ServerError(_message(line.removeprefix(b"data: ")) or "The server ended with an error.")
            yield event
        elif match := _PROGRESS.match(line.decode("utf-8", "replace")):
            index, step, total = map(int, match.groups())
            yield {"type": "progress", "index": index, "step": step, "total": total}


def _address(url: str) -> str:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ServerError(f"'{url}' is no address of a server: write it like http://127.0.0.1:8000.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v3'}/images/generations"


def _message(document: bytes) -> str | None:
    try:
        return str(json.loads(document)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return None
