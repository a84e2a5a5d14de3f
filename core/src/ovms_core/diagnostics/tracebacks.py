"""Tracebacks for the authors of plugins: cut to what they wrote, without the way there through the server."""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from types import FrameType
from typing import Any

_SERVER = ("ovms_core", "asyncio", "contextlib", "importlib", "importlib_metadata", "pluggy", "starlette", "uvicorn")
"""The modules and packages of the way to a plugin's code."""
_STANDARD = sysconfig.get_path("stdlib") + os.sep
_INSTALLED = tuple(f"{_STANDARD}{folder}{os.sep}" for folder in ("site-packages", "dist-packages"))


def said_by(error: BaseException) -> str:
    """`error` in one line or more, as at the end of a traceback, also if its text cannot be had: ``KeyError: 'a'``."""
    try:
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    except Exception as fault:
        return f"{type(error).__name__}, whose text cannot be had: its __str__ raises {type(fault).__name__}"


def author_traceback(error: BaseException) -> str:
    """The traceback of `error` as Python prints it, from the author's first frame on; so for its causes.

    The server's frames on the way from there to the author's last are left out, too.
    Without such a frame it is the exception alone.
    """
    told = traceback.TracebackException.from_exception(error)
    for each in _chain(told):
        each.stack = _cut(each.stack)
    return "".join(told.format()).rstrip()


def author_summary(error: BaseException) -> str:
    """`error` in a line, with its `author_place`: ``ValueError: no (/home/me/shout.py:12 in execute)``."""
    text, place = said_by(error), author_place(error)
    return f"{text} ({place})" if place else text


def author_place(error: BaseException) -> str | None:
    """Where `error` left the author's code, as ``/home/me/shout/endpoint.py:12 in execute``; `None` if nowhere."""
    return _innermost(reversed([*traceback.walk_tb(error.__traceback__)]))


def running_place(frames: Iterable[FrameType]) -> str | None:
    """As `author_place`, of `frames` that run, innermost first."""
    return _innermost((frame, frame.f_lineno) for frame in frames)


def thread_place(ident: int) -> str | None:
    """As `author_place`, of the thread with this ident; `None` if it has ended."""
    frame = sys._current_frames().get(ident)
    return _innermost(traceback.walk_stack(frame)) if frame is not None else None


def awaited_place(awaited: Any) -> str | None:
    """As `author_place`, of a coroutine or an async generator that waits, or of what it waits for."""
    return running_place(reversed([*_awaited_frames(awaited)]))


def _awaited_frames(awaited: Any) -> Iterator[FrameType]:
    while kind := next((kind for kind in ("cr", "ag", "gi") if hasattr(awaited, f"{kind}_frame")), None):
        if frame := getattr(awaited, f"{kind}_frame"):
            yield frame
        awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")


def _innermost(frames: Iterable[tuple[FrameType, int]]) -> str | None:
    """The first of the author's among `frames`, each with the number of its line."""
    for frame, line in frames:
        code = frame.f_code
        if is_authors(code.co_filename):
            return f"{code.co_filename}:{line} in {code.co_name}"
    return None


def definition_place(thing: Any) -> str | None:
    """Where a function or class is written, or the class of an object: ``/home/me/shout/endpoint.py:12``."""
    for each in (inspect.unwrap(thing) if callable(thing) else thing, type(thing)):
        try:
            file, (_, line) = inspect.getsourcefile(each), inspect.getsourcelines(each)
        except (OSError, TypeError):
            continue
        if file is not None and is_authors(file):
            return f"{file}:{line}"
    return None


def _cut(stack: traceback.StackSummary) -> traceback.StackSummary:
    """Keep what is the author's, and what that called in the end; the server's way from one to the next goes."""
    authors = [index for index, frame in enumerate(stack) if is_authors(frame.filename)]
    first, last = (authors[0], authors[-1]) if authors else (len(stack), len(stack))
    way = ("<frozen ", *_files_of(*_SERVER))
    between = [frame for frame in stack[first:last] if not frame.filename.startswith(way)]
    after = [frame for frame in stack[last:] if not frame.filename.startswith(("<frozen ", *_files_of("importlib")))]
    return traceback.StackSummary.from_list(between + after)


def is_authors(file: str) -> bool:
    """Whether `file` is neither the server's nor Python's: the author's own, or of a package that the author uses."""
    standard = file.startswith(_STANDARD) and not file.startswith(_INSTALLED)
    return not standard and not file.startswith(("<frozen ", *_files_of(*_SERVER)))


@cache
def _files_of(*modules: str) -> tuple[str, ...]:
    """Where the code of `modules` is: files, and folders with a separator at their end."""
    specs = [spec for spec in map(find_spec, modules) if spec is not None]
    folders = [f"{folder}{os.sep}" for spec in specs for folder in spec.submodule_search_locations or ()]
    return (*folders, *(spec.origin for spec in specs if spec.origin and not spec.submodule_search_locations))


def _chain(error: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
