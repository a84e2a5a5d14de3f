"""Tracebacks for the authors of plugins: cut to what they wrote, without the way there through the server."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from types import FrameType

_SERVER = ("ovms_core", "asyncio", "contextlib", "importlib", "importlib_metadata", "pluggy", "starlette", "uvicorn")
"""The modules and packages of the way to a plugin's code."""


def author_traceback(error: BaseException) -> str:
    """The traceback of `error` as Python prints it, from the first frame on that is no server's; so for its causes.

    Without such a frame it is the exception alone.
    """
    told = traceback.TracebackException.from_exception(error)
    for each in _chain(told):
        each.stack = _cut(each.stack)
    return "".join(told.format()).rstrip()


def author_place(error: BaseException) -> str | None:
    """Where `error` left the author's code, as ``/home/me/shout/endpoint.py:12 in execute``; `None` if nowhere."""
    stack = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_authors(frame.filename)]
    return _place(stack[-1]) if stack else None


def frame_place(frame: FrameType | None) -> str | None:
    """As `author_place`, of a running `frame`: the innermost of the author's."""
    stack = [each for each in traceback.extract_stack(frame) if _is_authors(each.filename)] if frame else []
    return _place(stack[-1]) if stack else None


def is_authors_own(file: str) -> bool:
    """Whether `file` is neither the server's nor Python's: the author's own, or a package that the author uses."""
    installed = "site-packages" in file or "dist-packages" in file
    return _is_authors(file) and (installed or not file.startswith(sysconfig.get_path("stdlib") + os.sep))


def _place(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename}:{frame.lineno} in {frame.name}"


def _cut(stack: traceback.StackSummary) -> traceback.StackSummary:
    first = next((index for index, frame in enumerate(stack) if _is_authors(frame.filename)), len(stack))
    kept = [frame for frame in stack[first:] if not frame.filename.startswith(("<frozen ", *_files_of("importlib")))]
    return traceback.StackSummary.from_list(kept)


def _is_authors(file: str) -> bool:
    return not file.startswith(("<frozen ", *_files_of(*_SERVER)))


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
