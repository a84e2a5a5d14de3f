"""What structured output and tools cost: guided against free generation, on the same server and in turn.

Targets are printed beside the figures. A guided answer ends with its document, so both kinds generate as many tokens as
are asked for: no document of the schema is shorter.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, pairwise, repeat
from typing import Any, Final

from benchmarks.chat import prompts
from benchmarks.http import Stream, answer_all, request, stream_all
from benchmarks.servers import serving
from ovms_llm.messages import Delta
from ovms_llm.speech.functions.tools import Function
from ovms_llm.speech.listening import Listener
from ovms_llm.speech.registry import formats

_MODEL: Final = {"name": "smollm2", "source": "starter:smollm2", "options": {"cache_size": 1.0}}
_PATH: Final = "/v1/chat/completions"
_TEXT: Final = b'"delta":{"content":"'
_PARTS: Final = ("kitchen", "hall", "cellar", "garden", "attic", "garage", "office", "balcony", "nursery", "stairs")
_BESIDE: Final = 8

_numbers = count()


def schema(names: Sequence[str]) -> dict[str, Any]:
    """A schema of an object with a text for each of `names`."""
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": list(names), "additionalProperties": False}


TEN: Final = schema([f"what_people_say_about_the_{part}_of_the_house" for part in _PARTS])
"""Ten properties, whose names alone are longer than the answers that are asked for."""


def fresh() -> dict[str, Any]:
    """A schema of 200 properties that nobody has asked for before."""
    number = next(_numbers)
    return schema([f"property_{number}_{index}" for index in range(200)])


def ask(text: str, tokens: int, **fields: Any) -> bytes:
    """A streaming request for `tokens` tokens, greedy."""
    body = {
        "model": "smollm2",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        **fields,
    }
    return request(_PATH, body)


def free(text: str, tokens: int) -> bytes:
    """A request without a schema."""
    return ask(text, tokens, ignore_eos=True)


def guided(text: str, tokens: int, shape: dict[str, Any] = TEN) -> bytes:
    """A request for JSON of a schema."""
    form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": shape}}
    return ask(text, tokens, response_format=form)


Asking = Callable[[str, int], bytes]


# -- tokens a second


def speed(port: int, asking: Asking, level: int, tokens: int) -> float:
    """Tokens a second of `level` streams at once."""
    streams, seconds = stream_all(port, [asking(text, tokens) for text in prompts(level, next(_numbers))])
    for stream in streams:
        if (found := _usage(stream)) != tokens:
            raise RuntimeError(f"an answer has {found} tokens instead of {tokens}: the two kinds cannot be compared")
    return level * tokens / seconds


def _usage(stream: Stream) -> int:
    tokens: int = _frames(stream)[-1]["usage"]["completion_tokens"]
    return tokens


def _frames(stream: Stream) -> list[Any]:
    lines = bytes(stream.data).split(b"\n")
    return [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]


def print_speeds(port: int, rounds: int, tokens: int, levels: Sequence[int]) -> None:
    """Guided against free tokens a second, as ratios of neighbours in time."""
    for level in levels:
        ratios = []
        for number in range(rounds * (6 if level == 1 else 1) + 1):
            kinds: list[Asking] = [free, guided] if number % 2 else [guided, free]
            found = {kind: speed(port, kind, level, tokens) for kind in kinds}
            if number:  # the first warms up
                ratios.append(found[guided] / found[free])
        _print(f"tokens a second, {level} in flight, guided to free", ratios, "0.93 at least")


# -- the first token


def print_first_token(port: int, pairs: int) -> None:
    """Milliseconds that a guided request's first token comes later, when its grammar is compiled already."""
    later = []
    for number in range(pairs + 1):
        kinds: list[Asking] = [free, guided] if number % 2 else [guided, free]
        first = {kind: _first(port, kind) for kind in kinds}
        if number:
            later.append(1000 * (first[guided] - first[free]))
    _print("first token, guided minus free, ms", later, "5 at most")


def _first(port: int, asking: Asking) -> float:
    [stream], _ = stream_all(port, [asking(prompts(1, next(_numbers))[0], 4)])
    return stream.when(_TEXT)


# -- the streams beside


def print_gaps(port: int, rounds: int, tokens: int) -> None:
    """The 99th percentile of the gaps between tokens beside cold grammars, against requests with a warm one."""
    warm, beside_warm, beside_none = fresh(), list[float](), list[float]()
    for number in range(rounds + 1):
        quiet, _ = _p99(port, tokens, (), 0)
        cold, seconds = _p99(port, tokens, (fresh() for _ in count()), 0)
        same, _ = _p99(port, tokens, repeat(warm), statistics.median(seconds))
        if number:
            beside_warm.append(cold / same)
            beside_none.append(cold / quiet)
    _print(
        "gaps between tokens, 99 %, beside cold schemas of 200 properties to beside a warm one",
        beside_warm,
        "1.5 at most",
    )
    _print("the same, beside cold schemas to beside no request", beside_none, "none")


def _p99(port: int, tokens: int, shapes: Iterable[dict[str, Any]], every: float) -> tuple[float, list[float]]:
    """The percentile of the gaps of streams beside which JSON of `shapes` is asked for, one every so many seconds.

    And how many seconds each of those requests took.
    """
    over, seconds = threading.Event(), list[float]()
    thread = threading.Thread(target=_disturb, args=(port, shapes, every, over, seconds))
    thread.start()
    try:
        streams, _ = stream_all(port, [free(text, tokens) for text in prompts(_BESIDE, next(_numbers))])
    finally:
        over.set()
        thread.join()
    gaps = sorted(gap for stream in streams for gap in _gaps(stream))
    return gaps[int(len(gaps) * 0.99)], seconds


def _disturb(
    port: int, shapes: Iterable[dict[str, Any]], every: float, over: threading.Event, seconds: list[float]
) -> None:
    for shape in shapes:
        _, took = stream_all(port, [guided("Go.", 1, shape)])
        seconds.append(took)
        if over.wait(max(0.0, every - took)):
            return


def _gaps(stream: Stream) -> Iterator[float]:
    begun = stream.data.index(_TEXT)
    return (later - sooner for sooner, later in pairwise(now for size, now in stream.arrivals if size > begun))


# -- parsing


def print_parsing(port: int, streams: int, tokens: int) -> None:
    """The share of the time that reading 32 streams for tool calls takes."""
    function = Function("paint", schema(["colour"]), "Paint the wall")
    tool = {"type": "function", "function": {"name": function.name, "parameters": function.parameters}}
    asked = [ask(text, tokens, ignore_eos=True, tools=[tool]) for text in prompts(streams, next(_numbers))]
    answers, seconds = stream_all(port, asked)
    texts = [[_said(frame) for frame in _frames(answer)] for answer in answers]
    speech = formats()["generic"]
    start = time.perf_counter()
    for pieces in texts:
        listener = Listener(speech, None, [function], guided=True)
        for piece in pieces:
            listener.hear(Delta(0, piece, [1]))
    share = 100 * (time.perf_counter() - start) / seconds
    print(f"  parsing {streams} streams: {share:.2f} % of the time (target: under 1)")


def _said(frame: Any) -> str:
    return frame["choices"][0]["delta"].get("content") or "" if frame["choices"] else ""


def _print(what: str, found: list[float], target: str) -> None:
    found.sort()
    print(f"  {what}: {statistics.median(found):.3f} ({found[0]:.3f} to {found[-1]:.3f}; target: {target})")


def main(rounds: int = 5, tokens: int = 80, levels: tuple[int, ...] = (1, 32)) -> None:
    """Measure everything on one server, and print the ratios."""
    print("Guided against free generation (SmolLM2-135M, greedy, CPU; medians of rounds)")
    with serving(_MODEL) as port:
        answer_all(
            port, [request(_PATH, {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1})], clients=1
        )
        print_speeds(port, rounds, tokens, levels)
        print_first_token(port, 8 * rounds)
        print_gaps(port, rounds, 2 * tokens)
        print_parsing(port, 32, tokens)


if __name__ == "__main__":
    main()
