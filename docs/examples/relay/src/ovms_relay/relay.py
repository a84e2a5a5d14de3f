"""An executor that lets another server answer a call."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import msgspec

from ovms_core.plugin import APIError, Call, Endpoint
from ovms_relay.chunks import events_in
from ovms_relay.errors import refused, unreachable
from ovms_relay.settings import RelaySettings

_CONNECT_SECONDS = 5.0


class Relay:
    """An executor: the events of a call, made by `endpoint` itself or by the other server."""

    def __init__(self, endpoint: Endpoint[Any], settings: RelaySettings) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._url = f"{(settings.url or '').rstrip('/')}{endpoint.path}"
        self._timeout = httpx.Timeout(settings.timeout, connect=_CONNECT_SECONDS)
        self._certificates = ssl.create_default_context()  # takes a while, so not once a call

    async def __call__(self, call: Call[Any]) -> AsyncIterator[Any]:
        """What is said here or there. Raises `APIError`."""
        async with aclosing(self._chosen(call)) as events:
            async for event in events:
                yield event

    def _chosen(self, call: Call[Any]) -> AsyncGenerator[Any, None]:
        name = call.require_model().name
        there = name if self._settings.models is None else self._settings.models.get(name)
        if there is None:
            return self._here(call)
        return self._there(call, there) if self._settings.when == "always" else self._here_or_there(call, there)

    async def _here(self, call: Call[Any]) -> AsyncGenerator[Any, None]:
        async with aclosing(self._endpoint.execute(call)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def _here_or_there(self, call: Call[Any], model: str) -> AsyncGenerator[Any, None]:
        """A queue that is full says so before the first event."""
        try:
            async with aclosing(self._here(call)) as events:
                async for event in events:
                    yield event
            return
        except APIError as error:
            if error.code != "queue_full":
                raise
        async with aclosing(self._there(call, model)) as events:
            async for event in events:
                yield event

    async def _there(self, call: Call[Any], model: str) -> AsyncGenerator[Any, None]:
        """Closing the events closes the connection, which cancels there."""
        body = _body(call, model)
        headers = {"content-type": "application/json", "x-request-id": call.id}
        if self._settings.api_key is not None:
            headers["authorization"] = f"Bearer {self._settings.api_key.get_secret_value()}"
        try:
            async with (
                httpx.AsyncClient(verify=self._certificates, timeout=self._timeout) as client,
                client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                if response.status_code != 200:
                    raise refused(response.status_code, response.headers, await response.aread())
                async with aclosing(events_in(response.aiter_bytes())) as events:
                    async for event in events:
                        yield event
        except httpx.HTTPError as error:
            raise unreachable(error) from error


def _body(call: Call[Any], model: str) -> bytes:
    """What the client asked for, always as a stream: how its answer is written is decided here."""
    fields = call.body.model_dump(mode="json", exclude_unset=True)
    return msgspec.json.encode({**fields, "model": model, "stream": True, "stream_options": {"include_usage": True}})
