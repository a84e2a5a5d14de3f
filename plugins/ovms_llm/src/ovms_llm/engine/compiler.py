"""Grammars are compiled here, beside the engine: in its step one would hold up every stream, and a bad one kill it."""

from __future__ import annotations

import json
import os
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final
from weakref import WeakSet

import openvino_genai as genai

from ovms_core.engine import RequestError
from ovms_llm.engine.blank_model import blank_pipeline
from ovms_llm.grammar.formats import Format, text

_STATM: Final = Path("/proc/self/statm")
_NICE: Final = 19
_MOST: Final = 1024
"""Grammars that are kept; each takes memory, and their number costs nothing."""
_LEAST_BYTES: Final = 1 << 20
"""What a grammar counts with at least, since memory that was free before does not show."""
_LOOK_AGAIN: Final = 0.1
_QUEUE: Final = 6
"""How many times as long as it may take a grammar may wait for its turn."""
_LOOK_FOR_PINS: Final = 0.005
_TRIVIAL: Final = text("a")
_STAMP: Final = re.compile(r"^(?:\[[\d:]+\] *)?(?:\S*/)?\S+\.(?:cc|cpp|h):\d+:\s*", re.MULTILINE)
_CHECK: Final = re.compile(r"^(?:Exception from|Check ').*$", re.MULTILINE)


def grammar_text(format: Format) -> str:
    """`format` as XGrammar takes it, and by which it knows a grammar again."""
    return json.dumps({"type": "structural_tag", "format": format}, ensure_ascii=False)


def configure(config: Any, grammar: str) -> None:
    """Have `config` follow `grammar`."""
    config.structured_output_config = genai.StructuredOutputConfig(structural_tags_config=grammar)


class Pin:
    """As long as it lives, no grammar is thrown away: a sequence holds one from its submission to its first token."""

    __slots__ = ("__weakref__",)


class Compilation:
    """One grammar on its way."""

    def __init__(self) -> None:
        self.queued = monotonic()
        self.started: float | None = None
        self.done: Future[None] = Future()

    def pause(self, seconds: float) -> None:
        """Wait for its end, but not longer than that."""
        with suppress(TimeoutError):
            self.done.exception(timeout=seconds)

    def check(self, timeout: float, param: str) -> bool:
        """Whether it has ended well. Raises `RequestError` when it has failed, or lasts longer than `timeout`."""
        if self.done.done():
            error = self.done.exception()
            if error is not None:
                raise RequestError(f"the grammar does not compile: {_words(error)}", param=param) from error
            return True
        if self.started is not None and monotonic() - self.started > timeout:
            raise RequestError(
                f"the grammar has not compiled in {timeout:g} seconds (options.grammar_timeout): make it simpler, with "
                "fewer optional properties, alternatives and long repetitions. The same request may succeed later, "
                "when the grammar is ready",
                param=param,
                code="grammar_too_expensive",
            )
        if self.started is None and monotonic() - self.queued > _QUEUE * timeout:
            raise RequestError(
                "too many new grammars wait to be compiled: try again in a moment", status=503, code="grammar_queue"
            )
        return False


class Compiler:
    """Compiles grammars for a `tokenizer`, whose pipelines find them there, on one thread of the lowest priority.

    XGrammar keeps what it has compiled in the tokenizer, without limit. When that comes to more than `most_bytes`, all
    of it is thrown away: with a model of another vocabulary, since that makes GenAI begin anew.
    """

    def __init__(self, tokenizer: Any, vocabulary_size: int, *, timeout: float, most_bytes: int) -> None:
        self._tokenizer = tokenizer
        self._vocabulary_size = vocabulary_size
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="grammar", initializer=_give_way)
        self._warm: set[str] = set()
        self._pending: dict[str, Compilation] = {}
        self._pins: WeakSet[Pin] = WeakSet()
        self._lock = threading.Lock()
        self._bytes = 0
        self._empties = False
        self._closed = False
        self.emptied = 0

    def knows(self, grammar: str) -> bool:
        """Whether `grammar` is compiled."""
        return grammar in self._warm

    def pin(self, grammar: str) -> Pin | None:
        """A pin, if `grammar` is compiled, and stays so for the moment."""
        with self._lock:
            if self._empties or grammar not in self._warm:
                return None
            pin = Pin()
            self._pins.add(pin)
            return pin

    def compile(self, grammar: str) -> Compilation:
        """Have `grammar` compiled, if nobody has asked for it yet."""
        with self._lock:
            compilation = self._pending.get(grammar)
            if compilation is None:
                compilation = self._pending[grammar] = Compilation()
                self._thread.submit(self._run, grammar, compilation)
            return compilation

    def ready(self, compilation: Compilation, param: str) -> bool:
        """Whether it has ended well. Raises `RequestError` when it has not, or takes too long."""
        return compilation.check(self._timeout, param)

    def wait(self, grammar: str, param: str) -> None:
        """Compile `grammar`, unless it is known. Raises `RequestError` when it is bad or takes too long."""
        if self.knows(grammar):
            return
        compilation = self.compile(grammar)
        while not self.ready(compilation, param):
            compilation.pause(_LOOK_AGAIN)

    def close(self) -> None:
        """Wait for what is compiled: it uses the tokenizer."""
        self._closed = True
        self._thread.shutdown(cancel_futures=True)

    # -- on the thread ----------------------------------------------------------------------------

    @cached_property
    def _main(self) -> Any:
        pipeline = blank_pipeline(self._vocabulary_size, self._tokenizer)
        _compile(pipeline, grammar_text(_TRIVIAL))  # what the first grammar takes once is not that grammar's
        return pipeline

    @cached_property
    def _other(self) -> Any:
        return blank_pipeline(self._vocabulary_size + 1, self._tokenizer)

    def _run(self, grammar: str, compilation: Compilation) -> None:
        compilation.started = monotonic()
        try:
            self._make_room()
            pipeline, before = self._main, _resident_bytes()
            if grammar not in self._warm:
                _compile(pipeline, grammar)
        except Exception as error:
            with self._lock:
                del self._pending[grammar]
            compilation.done.set_exception(error)
        else:
            self._keep(grammar, max(_LEAST_BYTES, _resident_bytes() - before))
            compilation.done.set_result(None)

    def _keep(self, grammar: str, size: int) -> None:
        with self._lock:
            del self._pending[grammar]
            self._bytes += 0 if grammar in self._warm else size
            self._warm.add(grammar)

    def _make_room(self) -> None:
        """Throw all grammars away if they are too many, when no sequence is about to begin with one of them."""
        if self._bytes <= self._most_bytes and len(self._warm) < _MOST:
            return
        self._empties = True
        try:
            if self._unpinned():
                self._warm.clear()
                self._bytes = 0
                self.emptied += 1
                for pipeline in (self._other, self._main):
                    _compile(pipeline, grammar_text(_TRIVIAL))
        finally:
            self._empties = False

    def _unpinned(self) -> bool:
        """Wait until no pin is left, which takes a few steps of the engine; whether that was so in time."""
        deadline = monotonic() + self._timeout
        while not self._closed and monotonic() < deadline:
            with self._lock:
                if not self._pins:
                    return True
            sleep(_LOOK_FOR_PINS)
        return False


def _compile(pipeline: Any, grammar: str) -> None:
    config = genai.GenerationConfig(max_new_tokens=1, apply_chat_template=False)
    configure(config, grammar)
    pipeline.generate("a", config)


def _give_way() -> None:
    """Let running streams have the processor."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _resident_bytes() -> int:
    return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _words(error: BaseException) -> str:
    """What XGrammar said, without the places in its sources."""
    lines = _STAMP.sub("", _CHECK.sub("", str(error))).strip().splitlines()
    return " ".join(lines[-1].split()) if lines else type(error).__name__
