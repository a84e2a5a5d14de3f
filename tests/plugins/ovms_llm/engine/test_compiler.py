"""Compiling grammars beside an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ovms_core.engine import RequestError
from ovms_llm.engine.compiler import Compiler, grammar_text
from ovms_llm.engine.text_generation import TextGeneration
from ovms_llm.grammar import formats

pytestmark = pytest.mark.real

SLOW = grammar_text(formats.grammar('root ::= [a-z]{1,60} "!"\n'))
QUICK = grammar_text(formats.text("quick"))


@pytest.fixture
def make_compiler(engine: TextGeneration) -> Iterator[Callable[[float], Compiler]]:
    made: list[Compiler] = []

    def make(timeout: float) -> Compiler:
        size = engine.info().details["vocabulary_size"]
        made.append(Compiler(engine._pipeline.get_tokenizer(), size, timeout=timeout, most_bytes=1 << 30))
        return made[-1]

    yield make
    for compiler in made:
        compiler.close()


def refusal(compiler: Compiler, grammar: str) -> RequestError:
    """Why `grammar` is refused when it has had its turn."""
    while True:
        with pytest.raises(RequestError) as raised:
            compiler.wait(grammar, "response_format")
        if raised.value.status != 503:
            return raised.value


def test_a_grammar_that_takes_too_long_is_refused_and_ready_later(make_compiler: Callable[[float], Compiler]) -> None:
    compiler = make_compiler(1e-6)
    error = refusal(compiler, SLOW)
    assert (error.status, error.code, error.param) == (400, "grammar_too_expensive", "response_format")
    assert "make it simpler" in error.message
    compiler.compile(SLOW).done.result()
    compiler.wait(SLOW, "response_format")


def test_a_grammar_is_pinned_when_it_is_known(make_compiler: Callable[[float], Compiler]) -> None:
    compiler = make_compiler(60)
    assert compiler.pin(QUICK) is None
    compiler.wait(QUICK, "response_format")
    assert compiler.pin(QUICK) is not None


def test_many_who_want_the_same_grammar_wait_for_one_compilation(make_compiler: Callable[[float], Compiler]) -> None:
    compiler = make_compiler(60)
    assert len({id(compiler.compile(SLOW)) for _ in range(8)}) == 1
