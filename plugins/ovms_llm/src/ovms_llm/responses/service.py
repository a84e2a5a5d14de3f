"""The stored responses of a server, and those that are being made: what the endpoints share."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from ovms_core.plugin import APIError, Application, Call, off_loop
from ovms_llm.responses.background import Job, Jobs
from ovms_llm.responses.composer import Composer, new_id
from ovms_llm.responses.documents import Response
from ovms_llm.responses.history import check_calls
from ovms_llm.responses.sqlite_store import SqliteStore
from ovms_llm.responses.store import MemoryStore, Record, ResponseStore, StoreError
from ovms_llm.settings import LlmSettings, ResponsesSettings

log = logging.getLogger("ovms.llm.responses")

_STATE: Final = "ovms_llm_responses"
_LARGE: Final = 64 << 10
"""Characters of a conversation from which on work on it is done beside the event loop."""


class Responses:
    """The responses that a server knows."""

    def __init__(self, store: ResponseStore, jobs: Jobs, max_history: int) -> None:
        self._store = store
        self._max_history = max_history
        self.jobs = jobs

    @classmethod
    def of(cls, app: Application) -> Responses:
        """Those of `app`. Raises `APIError` 503 where their store could not be opened."""
        responses: Responses | None = getattr(app.state, _STATE, None)
        if responses is None:
            message = "The store of responses could not be opened; the server's log says why."
            raise APIError(503, message, code="store_unavailable", retry_after=60)
        return responses

    # -- what a request refers to

    async def history(self, owner: str, id: str) -> list[dict[str, Any]]:
        """The items of the conversation up to response `id`. Raises `APIError` 400 where a link is missing."""
        turns: list[list[dict[str, Any]]] = []
        room = self._max_history
        here: str | None = id
        while here is not None:
            record = await self._store.get(owner, here)
            if record is None:
                what = f"'{here}'" if here == id else f"'{here}', which '{id}' continues,"
                raise _not_there(f"Previous response {what} is not stored: it never was, or no longer is.")
            if record.unfinished:
                raise _not_there(f"Previous response '{record.id}' is not complete yet: wait until it is.")
            if (room := room - record.size) < 0:
                message = f"The conversation up to '{id}' has over {self._max_history} bytes (max_body_size)."
                raise APIError(413, message, param="previous_response_id", code="body_too_large")
            turns.append(record.items())
            here = record.previous
        return [item for turn in reversed(turns) for item in turn]

    async def begin(self, call: Call[Any]) -> None:
        """Make the conversation that the body stands for: what it continues, and what it refers to."""
        body, owner = call.body, call.user or ""
        history = await self.history(owner, body.previous_response_id) if body.previous_response_id else []
        stored = {at: await self._referred(owner, id, at) for at, id in body.references.items()}
        if not history and not stored:
            await call.off_loop(_begin, body, history, stored)
        elif await off_loop(_begin, body, history, stored) > _LARGE:  # of any size, however small the body was
            call.large = True

    async def _referred(self, owner: str, id: str, at: int) -> dict[str, Any]:
        item = await self._store.item(owner, id)
        if item is None:
            message = f"Item '{id}' is not stored: send the item itself."
            raise APIError(400, message, param=f"input[{at}].id", code="item_not_found")
        return item

    # -- what is stored

    async def save(self, call: Call[Any], response: Response) -> None:
        """Store a response, if the client wants that. One that cannot be stored is still answered."""
        if not call.body.store:
            return
        document = msgspec.to_builtins(response)
        try:
            await self._store.put(Record(response.id, call.user or "", response.created_at, call.body.items, document))
        except StoreError as error:
            log.error("response %s was not stored: %s", response.id, error)

    async def find(self, owner: str, id: str) -> Record:
        """The stored response. Raises `APIError` 404, also where it is somebody else's."""
        record = await self._store.get(owner, id)
        if record is None:
            raise APIError(404, f"Response '{id:.100}' is not stored here.", param="id", code="response_not_found")
        return record

    async def show(self, owner: str, id: str) -> dict[str, Any]:
        """The response as it is now."""
        if (job := self.jobs.running(owner, id)) is not None and not await job.is_about_to_end():
            shown: dict[str, Any] = msgspec.to_builtins(job.composer.response)
            return shown
        return (await self.find(owner, id)).response

    async def delete(self, owner: str, id: str) -> None:
        """Forget a response; one that is being made is ended first."""
        if (job := self.jobs.running(owner, id)) is not None:
            await job.cancel()
        if not await self._store.delete(owner, id):
            await self.find(owner, id)
        self.jobs.forget(id)

    async def cancel(self, owner: str, id: str) -> dict[str, Any]:
        """End a background response; one that has ended stays as it is. Raises `APIError` 400 for any other."""
        if (job := self.jobs.running(owner, id)) is not None:
            await job.cancel()
        record = await self.find(owner, id)
        if not record.response["background"]:
            message = f"Response '{id}' cannot be cancelled: it was not made with 'background': true."
            raise APIError(400, message, param="id", code="not_a_background_response")
        return record.response

    # -- in the background

    async def start(self, call: Call[Any], composer: Composer, events: AsyncIterator[Any]) -> Job:
        """Make a response in the background."""
        self.jobs.require_room()
        job = Job(call, composer, lambda: self.save(call, composer.response))
        await self.jobs.start(job, events)
        await self.save(call, composer.response)
        return job


def _begin(body: Any, history: Sequence[dict[str, Any]], stored: dict[int, dict[str, Any]]) -> int:
    """Make the conversation; how many characters it has."""
    own = body.input_items(stored, new_id)
    check_calls([*history, *own], len(own))
    body.begin(history, own)
    return sum(map(len, body.texts()))


def _not_there(message: str) -> APIError:
    return APIError(400, message, param="previous_response_id", code="previous_response_not_found")


@asynccontextmanager
async def serving_responses(app: Application) -> AsyncIterator[None]:
    """While the server runs, its responses are there. Without a store the other endpoints serve on."""
    settings = app.server.settings
    options = settings.plugin(LlmSettings).responses
    try:
        store = await _opened(options)
    except StoreError as error:
        log.error("%s", error)
        yield
        return
    responses = Responses(store, Jobs(options.max_background, settings.request_timeout), settings.max_body_size)
    setattr(app.state, _STATE, responses)
    try:
        yield
    finally:
        await responses.jobs.close()
        await store.close()


async def _opened(options: ResponsesSettings) -> ResponseStore:
    if options.path is None:
        return MemoryStore(options)
    return await SqliteStore.open(options.path, options)
