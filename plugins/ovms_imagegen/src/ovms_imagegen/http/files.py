"""``GET /images/files/{name}``: the pictures that clients asked for by URL."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from ovms_core.plugin import APIError, Body, Call, Endpoint, Event, Settings
from ovms_imagegen.store import is_alive


class FileBody(Body):
    """Which file."""

    name: str


class FileRead(Event):
    """A kept picture."""

    data: bytes


class KeptFiles(Endpoint[FileBody]):
    """Serves kept pictures. Public: browsers fetch such URLs without a key, and nobody can guess the names."""

    path = "/images/files/{name}"
    method = "GET"
    body = FileBody
    public = True
    gives = ("image/png", "image/jpeg", "image/webp")

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = list(folders)

    async def parse(self, request: Request) -> Call[FileBody]:
        return self.call(request, FileBody(name=request.path_params["name"]))

    async def execute(self, call: Call[FileBody]) -> AsyncIterator[FileRead]:
        data = await anyio.to_thread.run_sync(self._read, call.body.name) if is_alive(call.body.name) else None
        if data is None:
            raise APIError(404, "There is no such picture, or its time is over.", code="picture_not_found")
        yield FileRead(data)

    async def unary(self, call: Call[FileBody], events: AsyncIterator[FileRead]) -> Response:
        content = b"".join([event.data async for event in events])
        headers = {"cache-control": "private", "x-content-type-options": "nosniff"}
        return Response(content, media_type=f"image/{call.body.name.rpartition('.')[2]}", headers=headers)

    def _read(self, name: str) -> bytes | None:
        for folder in self._folders:
            with contextlib.suppress(FileNotFoundError):
                return (folder / name).read_bytes()
        return None


def folders(settings: Settings) -> list[Path]:
    """The folders that the models' options name."""
    named = {model.options.get("url_folder") for model in settings.models}
    return sorted(Path(folder) for folder in named if isinstance(folder, str))
