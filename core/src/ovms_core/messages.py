"""What travels between the server and an engine: requests one way, events the other.

A plugin declares its messages once, in a module of its own, by subclassing `Request` and `Event`.
They are `msgspec.Struct`s (https://jcristharif.com/msgspec/structs.html): typed, quick to encode and
cheap to import on both sides.

Example::

    class Embed(Request):
        texts: list[str]

    class Embedded(Event):
        vectors: list[bytes]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import msgspec


class Request(msgspec.Struct, tag=True):
    """A unit of work for an engine."""

    def resumed(self, events: Sequence[Any]) -> Self | None:
        """The request that continues this one, after its engine died or while its client does not read.

        `events` are those that the engine gave since the request was made or last resumed, at least one; they have been
        passed on and will not be taken back. So ``resumed(a).resumed(b)`` is ``resumed(a + b)``. It is asked now and
        then while the engine works, too, since the result takes less memory than the events.

        `None`, the default, means that it cannot be continued: it fails when its engine dies. A request that
        gained nothing is simply sent again.
        """
        return None


class Event(msgspec.Struct, tag=True):
    """A piece of a result: what an engine gives for a request, and an endpoint's `execute` for a call.

    Subclass it with the members that the piece has. `tag` is its name: the member ``type`` where it is written as JSON,
    as in the frames of a stream. Without one it is the name of the class.

    Example::

        class Said(Event, tag="said"):
            text: str

    A stream then has frames such as ``data: {"type":"said","text":"The"}``.

    Guardrails read its strings: ``text`` as a piece of a text, every other as a text of its own. The class variables
    `text_member`, `stream_members` and `no_text` say what is different (see `windowed`).
    """


class EngineInfo(msgspec.Struct, kw_only=True):
    """What an engine says of itself once it has loaded.

    `slots` is how many requests it wants in flight at a time; more wait in the server's queue.
    `max_model_len` is in tokens, `dimensions` is the length of an embedding vector. `details` is
    shown in `GET /v3/models`. `degraded` is the reason why the model serves, but not as it should. `remark`
    is what the operator should see at the start, such as how the model was recognised.
    """

    slots: int
    device: str
    max_model_len: int | None = None
    dimensions: int | None = None
    precision: str | None = None
    details: dict[str, Any] = {}
    warnings: list[str] = []
    degraded: str | None = None
    remark: str | None = None


class ModelSpec(msgspec.Struct, kw_only=True):
    """What an engine is told about the model that it loads.

    `path` is the model's folder or single file. `work_dir` is a writable folder of this model's own for
    what the engine derives from it (converted weights, compiled blobs); it survives restarts.
    `options` are the task's options, valid against the task's options class.
    """

    name: str
    task: str
    path: str
    work_dir: str
    device: str = "AUTO"
    options: dict[str, Any] = {}
