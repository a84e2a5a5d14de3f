"""uvicorn's WebSocket protocol, which ends with the server, logs no secrets, and lets a busy handler be."""

from __future__ import annotations

import logging
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

log = logging.getLogger("ovms.http.websocket")


class DrainingWebSocket(WebSocketsSansIOProtocol):
    """At shutdown an open WebSocket has ``drain_timeout`` to end by itself, as a request has.

    uvicorn would close it at once. Its library would also log the headers, and with them the keys.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.logger = _quiet()
        self.conn.debug = False
        self._given_up = False

    def shutdown(self) -> None:
        """Leave an open one to its task, which is cancelled when the time is up."""
        if self.close_sent:
            super().shutdown()

    def keepalive_timeout(self) -> None:
        """Give a client up that does not answer, unless we have not read on: then its answer may be waiting."""
        if self.read_paused and self.ping_timeout is not None:
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            self._given_up = True
            super().keepalive_timeout()

    def handle_parser_exception(self) -> None:
        """Close with what the client did wrong, such as a message that is too large."""
        self._given_up = True
        super().handle_parser_exception()

    async def send(self, message: Any) -> None:
        """As uvicorn's; but a client that was given up is one that has left, and a refusal ends the handshake."""
        if self._given_up:
            raise ClientDisconnected
        await super().send(message)
        self.handshake_complete |= self.close_sent


def _quiet() -> logging.Logger:
    """A logger of faults only: what uvicorn tells of every WebSocket has its query, which may hold a secret."""
    log.setLevel(logging.WARNING)
    return log
