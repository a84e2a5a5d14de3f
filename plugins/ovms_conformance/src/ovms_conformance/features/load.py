"""Several clients at once, and clients that leave."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from ovms_conformance.feature import Group, Target, expect
from ovms_conformance.features.text.asking import PATH, ask, ask_streaming, question, said, said_in

load = Group("Load", needs="chat_model")

_CLIENTS = 8


@load.feature
def eight_streams_at_once(target: Target) -> None:
    """Eight streams at a time all end well."""
    with ThreadPoolExecutor(_CLIENTS) as pool:
        streams = list(pool.map(lambda client: ask_streaming(target, f"Count to {client + 10}."), range(_CLIENTS)))
    ended = sum(stream.is_done and bool(said_in(stream)) for stream in streams)
    expect(ended == _CLIENTS, f"{ended} of {_CLIENTS} ended well")


@load.feature
def clients_that_leave(target: Target) -> None:
    """After clients have left in the middle of their streams, the next is answered."""
    for _ in range(_CLIENTS):
        with target.server.open_stream(PATH, question(target, max_tokens=512)) as stream:
            expect(len(list(islice(stream.frames, 3))) == 3, "the stream is too short to leave")
    expect(said(ask(target)), "the answer is empty")


@load.feature
def a_stream_is_alive_while_others_wait(target: Target) -> None:
    """Short requests are answered while a long one is under way."""
    with target.server.open_stream(PATH, question(target, max_tokens=512)) as stream:
        frames = iter(stream.frames)
        expect(next(frames, None), "the stream does not begin")
        expect(said(ask(target, max_tokens=4)), "the short answer is empty")
        expect(next(frames, None), "the stream does not go on")
