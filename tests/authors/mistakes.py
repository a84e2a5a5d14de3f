"""The mistakes of plugin authors, and what each must read.

To add one: write the small wrong plugin ``wrong/MODULE.py`` (its docstring says what is wrong; if it has an endpoint,
the path is ``/MODULE``, for all are installed at once), and add a row to one of the tables:

- `STARTUP`: the plugin is set aside, or warned of, when the server starts, and all others serve;
- `STOPPING`: the server does not start;
- `REQUESTS`: the plugin starts, and a request shows the mistake;
- `ENGINES`: so with an engine, whose model has the module's name.

`told` are texts that must all stand in one record of the log that also names the plugin. White space is not compared
elsewhere than in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Startup:
    """A mistake that shows when the server starts, or at its `ending`; the server goes on without the plugin.

    ``ovms plugins -v`` and ``ovms plugin check`` must say the same, unless it is not `listed` there, or `check` says
    something else. A `check` of `None`: it cannot tell.
    """

    module: str
    told: tuple[str, ...]
    check: tuple[str, ...] | None = ()
    listed: bool = True
    ending: bool = False


@dataclass(frozen=True, slots=True)
class Stopping:
    """A mistake that keeps the server from starting: `told` is in the error. `check` and `listed` as above."""

    module: str
    told: tuple[str, ...]
    check: tuple[str, ...] | None = ()
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A mistake that a request shows: ``POST /v1/MODULE`` with `body`, unless it says otherwise.

    The answer has `status` and, if it is given, the error's `code`. Without `told` the answer tells all. `check` is
    what ``ovms plugin check`` must say.
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
    Startup(
        "metric_is_taken",
        ("its metric ovms_task_restarts is left out, for plugin core has one of that name",),
        listed=False,
    ),
    Startup(
        "task_raises",
        ("the background task 'task_raises: refresh' failed: KeyError: 'address'", "task_raises.py:9"),
        check=None,
        listed=False,
    ),
    Startup(
        "settings_are_an_object",
        (
            "ovms_settings returned a WrongSettings",
            "return the class WrongSettings itself",
            "settings_are_an_object.py:12",
        ),
    ),
    Startup(
        "settings_of_another",
        ("WrongSettings is not the class of a plugin's settings: return it from the hook ovms_settings", ".py:14"),
    ),
    Startup(
        "missing_import",
        ("cannot be imported: ModuleNotFoundError: No module named 'no_such_package'", "missing_import.py:3"),
    ),
    Startup("import_panics", ("cannot be imported: PanicError: no driver", "import_panics.py:8")),
    Startup("syntax_error", ("cannot be imported: SyntaxError: expected ':'", "syntax_error.py:9")),
    Startup(
        "hook_raises",
        (
            "ovms_register_endpoints failed: ZeroDivisionError: division by zero",
            "hook_raises.py:7 in share",
            "return whole / parts",
        ),
    ),
    Startup("misspelt_hook", ("ovms_register_endpoint (did you mean ovms_register_endpoints?)", "misspelt_hook.py:14")),
    Startup("unmarked_hook", ("does not mark ovms_register_endpoints with @hookimpl", "unmarked_hook.py:14")),
    Startup("no_hook", ("implements no hook: mark its functions with @hookimpl",)),
    Startup("hook_default", ("has a default for 'settings' of ovms_register_endpoints", "leave out the default")),
    Startup(
        "hook_argument",
        ("takes 'setings' in ovms_register_endpoints", "(did you mean settings?): it passes settings", ".py:14"),
    ),
    Startup("hook_is_async", ("implements ovms_register_endpoints as a coroutine or wrapper: hooks are plain",)),
    Startup(
        "returns_an_endpoint",
        ("ovms_register_endpoints returned a Wrong, not a list of Endpoint objects: return [Wrong()]", ".py:14"),
    ),
    Startup("returns_a_class", ("returned the class Wrong in its list", "return an object of it, Wrong()")),
    Startup("returns_nothing", ("ovms_register_endpoints returned None, not a list", "or [] for none")),
    Startup("no_slash", ("Wrong: the path 'no_slash' cannot be used: it must begin with '/': write '/no_slash'",)),
    Startup("no_stream_field", ("Wrong.streams is True", "add 'stream: bool = False' to Body")),
    Startup("body_of_pydantic", ("Wrong.body is the class Text", "derives from ovms_core.plugin.Body")),
    Startup("also_is_text", ("Wrong.also is '/louder', and must be a tuple: write ('/louder',), with the comma",)),
    Startup(
        "events_are_objects",
        ("Wrong.execute gives wrong.events_are_objects.Spoken, which guardrails cannot look into", ".py:17"),
    ),
    Startup(
        "execute_is_a_coroutine",
        ("Wrong.execute cannot be used: it is an async function without a 'yield'", "execute_is_a_coroutine.py:10"),
    ),
    Startup("to_json_is_async", ("Wrong.to_json cannot be used: it is async, and nobody awaits it: write 'def'",)),
    Startup("unary_is_not_async", ("Wrong.unary cannot be used: it is no async function: write 'async def'",)),
    Startup("to_json_without_events", ("Wrong.to_json", "it takes (call), and is called with (call, events)")),
    Startup(
        "to_json_is_misspelt",
        ("Wrong.to_jsn overrides nothing: did you mean 'to_json'?", "to_json_is_misspelt.py:13"),
    ),
    Startup("misspelt_task", ("Wrong.task is 'embedings', which no plugin here has (did you mean 'embeddings'?)",)),
    Startup("executor_is_a_coroutine", ("ovms_executor returned the function answer", "without a 'yield'")),
    Startup(
        "lifespan_is_a_generator", ("ovms_lifespan returned an async_generator", "@asynccontextmanager"), listed=False
    ),
    Startup("lifespan_raises", ("ovms_lifespan failed: OSError: the database is gone", ".py:18"), listed=False),
    Startup("lifespan_exits", ("ovms_lifespan failed: SystemExit: 3 (", ".py:11 in database"), listed=False),
    Startup("lifespan_is_async", ("put @asynccontextmanager between @hookimpl and it", ".py:6")),
    Startup(
        "takes_what_is_not_there", ("cannot be imported: AttributeError: ", "has no attribute 'Shouting'", ".py:5")
    ),
    Startup(
        "lifespan_fails_to_close",
        ("ovms_lifespan failed at the end: OSError: the database is gone", ".py:11 in database"),
        listed=False,
        ending=True,
    ),
    Startup(
        "mounts_in_lifespan",
        (
            "ovms_lifespan failed: AttributeError: an ovms application has no 'mount': "
            "use a plugin's hook ovms_register_routes, which returns a Mount",
            "mounts_in_lifespan.py:14 in studio",
        ),
        listed=False,
    ),
    Startup("mounts_at_root", ("nothing can be mounted at /: choose a path of its own, such as /studio",)),
    Startup(
        "socket_handler_is_a_page",
        ("the function talk, the handler of the route /talk, cannot be used: it takes", "(websocket)"),
    ),
    Startup("observer_is_a_class", ("it observes nothing: ovms_observe returned the class Watch", "Watch()")),
    Startup(
        "source_fetches_async", ("returned a Share in its list of sources: its fetch cannot be used: it is async",)
    ),
    Startup("source_has_a_colon", ("a Share in its list of sources: its scheme is 'share:'", "and no colon")),
    Startup("handler_is_not_async", ("the function page, the handler of the route", "write 'async def'")),
]

STOPPING = [
    Stopping("guard_raises", ("ovms_wrap_execution failed: ValueError: no policy", ".py:8 in ovms")),
    Stopping("guard_is_a_coroutine", ("ovms_wrap_execution returned the function guard", "without a 'yield'")),
    Stopping("guard_is_misspelt", ("ovms_wrap_executon (did you mean ovms_wrap_execution?)",)),
    Stopping(
        "authenticator_fails_at_start",
        ("ovms_authenticate failed: FileNotFoundError:", ".py:10 in ovms_authenticate"),
    ),
    Stopping(
        "authenticator_is_not_async",
        ("ovms_authenticate returned the function owner", "it is no async function: write 'async def'"),
    ),
    Stopping("middleware_is_an_app", ("ovms_wrap_app returned the function middleware", "it is async")),
    Stopping(
        "middleware_returns_nothing",
        ("its middleware returned None, not an ASGI application", ".py:6"),
        listed=False,
    ),
]

REQUESTS = [
    Request(
        "execute_raises", ("plugin 'execute_raises', POST /execute_raises: KeyError: 'colour' at ", ".py:11 in exec")
    ),
    Request("to_json_raises", ("plugin 'to_json_raises', POST /to_json_raises: IndexError: ", ".py:15 in to_json")),
    Request(
        "unwritable_answer",
        ("the answer: choices[0].message.extra: a value of type object cannot be written as JSON", ".py:13"),
    ),
    Request(
        "unwritable_event",
        ("plugin 'unwritable_event'", "asked: a value of type WrongBody cannot be written", "use its model_dump()"),
        body={"stream": True},
    ),
    Request(
        "fails_in_stream",
        ("failed in mid-stream: plugin 'fails_in_stream', POST /fails_in_stream: ZeroDivisionError", ".py:17 in exec"),
        body={"stream": True},
        status=200,
    ),
    Request(
        "handler_raises",
        ("plugin 'handler_raises', GET /handler_raises: KeyError: 'name' at ", ".py:9 in show"),
        method="GET",
        path="/handler_raises",
    ),
    Request("middleware_raises", ("plugin 'middleware_raises': KeyError: b'x-tenant' at ", ".py:9 in run")),
    Request(
        "interceptor_raises",
        ("plugin 'interceptor_raises', POST /good: KeyError: 'tenant' at ", ".py:8 in intercept"),
        path="/v1/good",
        body={"text": "trip"},
    ),
    Request(
        "header_is_a_number",
        (
            "plugin 'header_is_a_number', POST /good: TypeError: call.headers['x-count'] is 3, not a text",
            ".py:8 in int",
        ),
        path="/v1/good",
        body={"text": "number"},
    ),
    Request(
        "blocks_the_loop",
        ("blocked by plugin 'blocks_the_loop', POST /blocks_the_loop at ", ".py:13 in execute", "asyncio.to_thread"),
        status=200,
    ),
    Request("never_awaits", (), status=504, code="request_timeout"),
    Request(
        "event_holds_an_object",
        (
            "windowed cannot look for texts in 'said' of type wrong.event_holds_an_object.Spoken",
            "or name the member in Told.no_text if it holds no text",
        ),
    ),
]

ENGINES = [
    Request(
        "engine_raises",
        ("the engine failed on request", "RuntimeError: no weights in /srv/secret", "engine_raises.py:9 in step"),
        code="engine_failed",
    ),
    Request(
        "engine_add_raises",
        ("the engine failed on request", "add() raised KeyError: '/srv/secret'", "engine_add_raises.py:9 in add"),
        code="engine_failed",
    ),
    Request(
        "engine_hangs",
        ("the engine made no progress for 1 s (step_timeout) in", "engine_hangs.py:11 in step"),
        code="engine_failed",
    ),
    Request(
        "engine_loses",
        ("the engine failed on request", "the engine has it no more (in_flight) but did not end it"),
        code="engine_failed",
    ),
    Request("engine_logs", ("WARNING ovms.model.engine_logs.shout: the weights are old",), status=200),
]
