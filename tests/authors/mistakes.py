"""The mistakes of plugin authors, and what each must read.

To add one: write the small wrong plugin ``wrong/MODULE.py`` (its docstring says what is wrong; if it has an endpoint,
the path is ``/MODULE``, for all are installed at once), and add a row to one of the three tables:

- `STARTUP`: the plugin is set aside, or warned of, when the server starts, and all others serve;
- `STOPPING`: the server does not start;
- `REQUESTS`: the plugin starts, and a request shows the mistake.

`told` are texts that must all stand in one record of the log that also names the plugin. White space is not compared
elsewhere than in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Startup:
    """A mistake that shows when the server starts; the server goes on without the plugin.

    ``ovms plugins -v`` and ``ovms plugin check`` must say the same, unless it is not `listed` there, or `check` says
    something else. A `check` of `None`: it cannot tell.
    """

    module: str
    told: tuple[str, ...]
    check: tuple[str, ...] | None = ()
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Stopping:
    """A mistake that keeps the server from starting: `told` is in the error. `check` as above."""

    module: str
    told: tuple[str, ...]
    check: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A mistake that a request shows: ``POST /v1/MODULE`` with `body`, unless it says otherwise.

    The answer has `status` and, if it is given, the error's `code`. `check` is what ``ovms plugin check`` must say.
    """

    module: str
    told: tuple[str, ...]
    body: dict[str, object] | None = field(default_factory=dict)
    method: str = "POST"
    path: str = ""
    status: int = 500
    code: str | None = None
    check: tuple[str, ...] | None = None


STARTUP = [
    Startup("missing_import", ("cannot be imported: ModuleNotFoundError: No module named 'no_such_package'",)),
    Startup("syntax_error", ("cannot be imported: SyntaxError", "syntax_error.py, line 9")),
    Startup("hook_raises", ("ZeroDivisionError: division by zero",)),
    Startup("misspelt_hook", ("ovms_register_endpoint (did you mean ovms_register_endpoints?)",)),
    Startup("unmarked_hook", ("does not mark ovms_register_endpoints with @hookimpl",)),
    Startup("no_slash", ("the path 'no_slash' cannot be used: it must begin with '/'",)),
    Startup("lifespan_raises", ("ovms_lifespan failed: OSError: the database is gone",), check=None, listed=False),
]

STOPPING = [
    Stopping("guard_raises", ("'guard_raises' failed in ovms_wrap_execution: ValueError: no policy",)),
]

REQUESTS = [
    Request("execute_raises", ("KeyError: 'colour'",)),
]
