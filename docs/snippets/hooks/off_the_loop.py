"""An endpoint that waits and computes without holding up anybody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from hashlib import scrypt
from pathlib import Path

from ovms_core.plugin import Body, Call, Endpoint, Settings, hookimpl, off_loop


def fingerprint(text: str) -> str:
    return scrypt(text.encode(), salt=b"source", n=1024, r=8, p=1).hex()


class Source(Endpoint[Body]):
    """This plugin's code, and its fingerprint."""

    path = "/source"
    method = "GET"
    body = Body

    async def execute(self, call: Call[Body]) -> AsyncIterator[str]:
        text = await asyncio.to_thread(Path(__file__).read_text)  # it waits for the disk
        yield text
        yield await off_loop(fingerprint, text)  # it computes

    def to_json(self, call: Call[Body], events: Sequence[str]) -> object:
        return {"text": events[0], "fingerprint": events[1]}


@hookimpl
def ovms_register_endpoints(settings: Settings) -> list[Source]:
    return [Source()]
