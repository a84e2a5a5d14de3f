"""What plugins offer is gathered once; conflicts and failing guards stop the start."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.requests import Request
from starlette.responses import Response
from tests.core.support import Client, Talk, echo, error_of, frames, plugin, raising, talking

from ovms_core.errors import PluginError
from ovms_core.plugin import Application, Call, Endpoint, Formatter, Observer, Outcome, Route
from ovms_core.plugin_loading.checks.answers import ANSWERS as ANSWERS_OF_HOOKS
from ovms_core.plugin_loading.implementations import GUARDS, specifications
from ovms_core.plugin_report import PluginReport, PluginState
from ovms_core.settings import PluginSettings
from ovms_core.testing import app_with, serving
from ovms_core.testing.scripted import TASK


class Shelf:
    """A source with nothing in it."""

    scheme = "shelf"

    def locate(self, name: str) -> Path | None:
        return None

    def fetch(self, name: str, into: Path, **settings: Any) -> None:
        raise NotImplementedError

    def offers(self) -> list[Any]:
        return []


async def shout(call: Call[Any]) -> AsyncIterator[str]:
    yield call.body.text.upper()


async def page(request: Request) -> Response:
    raise NotImplementedError


def stage(hook: str) -> Any:
    """Something that a plugin may answer to a replacing `hook`."""
    return {"ovms_parser": Talk(echo).parse, "ovms_executor": echo, "ovms_formatter": Talk(echo)}[hook]


CONFLICTS: list[tuple[dict[str, Any], str]] = [
    ({"ovms_register_tasks": lambda: [dataclasses.replace(TASK)]}, r"register the task 'scripted': 'one' and 'two'"),
    ({"ovms_register_sources": lambda: [Shelf()]}, r"register the source 'shelf': 'one' and 'two'"),
    ({"ovms_register_endpoints": lambda: [Talk(echo)]}, r"claim POST /v3/talk: 'one' and 'two'"),
    ({"ovms_register_routes": lambda: [Route("GET", "/page", page)]}, r"claim GET /page: 'one' and 'two'"),
    ({"ovms_parser": lambda: stage("ovms_parser")}, r"'one' and 'two' both answer ovms_parser for /base"),
    ({"ovms_executor": lambda: stage("ovms_executor")}, r"'one' and 'two' both answer ovms_executor for /base"),
    ({"ovms_formatter": lambda: Talk(echo)}, r"'one' and 'two' both answer ovms_formatter for /base"),
]


@pytest.mark.parametrize(("hooks", "message"), CONFLICTS)
def test_two_plugins_that_give_incompatible_answers_stop_the_start(hooks: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        app_with(talking(echo, "/base"), plugin("one", **hooks), plugin("two", **hooks))


@pytest.mark.parametrize(
    "hook",
    [
        "ovms_register_tasks",
        "ovms_register_endpoints",
        "ovms_register_routes",
        "ovms_register_sources",
        "ovms_parser",
        "ovms_formatter",
    ],
)
async def test_a_plugin_whose_hook_raises_is_quarantined_and_the_others_serve(hook: str) -> None:
    hooks = {"ovms_register_endpoints": lambda: [Talk(echo, "/broken")], hook: lambda: raising(ValueError("no luck"))()}
    app = app_with(talking(echo), plugin("broken", **hooks))
    report = next(report for report in app.server.plugins if report.name == "broken")
    assert report.state is PluginState.QUARANTINED
    assert "ValueError: no luck" in report.reason
    async with serving(app) as url, Client(url) as client:
        assert (await client.say(text="a")).json() == {"text": "a"}
        assert (await client.say("/v1/broken", text="a")).status_code == 404


@pytest.mark.parametrize("hook", ["ovms_parser", "ovms_executor", "ovms_formatter"])
async def test_of_a_plugin_that_breaks_late_nothing_stays(hook: str) -> None:
    """It breaks at the last endpoint, when it has offered everything else and answered for the first."""
    seen: list[str] = []
    watching = Observer()
    watching.call_started = lambda call: seen.append(call.id)  # type: ignore[method-assign]

    def replace_then_raise(endpoint: Endpoint[Any]) -> Any:
        return stage(hook) if endpoint.path == "/talk" else raising(ValueError("no luck"))()

    late = plugin(
        "late",
        ovms_register_tasks=lambda: [dataclasses.replace(TASK)],
        ovms_register_sources=lambda: [Shelf()],
        ovms_observe=lambda: watching,
        **{hook: replace_then_raise},
    )
    others = plugin("others", ovms_register_tasks=lambda: [TASK], ovms_register_sources=lambda: [Shelf()])
    app = app_with(talking(echo), talking(echo, "/z"), late, others)
    async with serving(app) as url, Client(url) as client:
        assert (await client.say(text="a")).json() == {"text": "a"}
    assert seen == []


def test_an_endpoint_that_lacks_a_path_or_a_body_quarantines_its_plugin() -> None:
    class Half(Endpoint[Any]):
        def execute(self, call: Call[Any]) -> AsyncIterator[Any]:
            raise NotImplementedError

    app = app_with(plugin("half", ovms_register_endpoints=lambda: [Half()]))
    (reason,) = [report.reason for report in app.server.plugins if report.name == "half"]
    assert reason.startswith("Half has no path and no body")


@pytest.mark.parametrize("hook", GUARDS)
def test_a_guard_that_raises_stops_the_start(hook: str) -> None:
    with pytest.raises(PluginError, match=rf"'guard': {hook} failed: ValueError: no policy.*does not start"):
        app_with(talking(echo), plugin("guard", **{hook: lambda: raising(ValueError("no policy"))()}))


@pytest.mark.parametrize("hook", GUARDS)
def test_a_guard_that_cannot_be_called_stops_the_start(hook: str) -> None:
    with pytest.raises(PluginError, match=rf"'guard': {hook} returned 3, where .* belongs: it cannot be called"):
        app_with(talking(echo), plugin("guard", **{hook: lambda: 3}))


@pytest.mark.parametrize("hook", ["ovms_register_tasks", "ovms_parser"])
def test_a_guard_that_breaks_elsewhere_stops_the_start_as_well(hook: str) -> None:
    """If it were only quarantined, requests would pass unguarded."""
    guard = plugin("guard", ovms_wrap_execution=lambda: None, **{hook: lambda: raising(ValueError("broken"))()})
    with pytest.raises(PluginError, match="may guard requests"):
        app_with(talking(echo), guard)


@pytest.mark.parametrize("hook", ["ovms_register_tasks", "ovms_executor"])
def test_a_required_plugin_that_breaks_at_any_hook_stops_the_start(hook: str) -> None:
    broken = plugin("broken", **{hook: lambda: raising(ValueError("broken"))()})
    with pytest.raises(PluginError, match="'broken' is required"):
        app_with(talking(echo), broken, plugins=PluginSettings(required=["broken"]))


async def test_an_observer_that_raises_is_logged_and_never_felt(caplog: pytest.LogCaptureFixture) -> None:
    class Clumsy(Observer):
        call_started = raising(ValueError("clumsy start"))
        call_ended = raising(ValueError("clumsy end"))

    observers = [
        plugin("clumsy", ovms_observe=lambda: Clumsy()),
        plugin("dead", ovms_observe=lambda: raising(ValueError())()),
    ]
    async with serving(app_with(talking(echo), *observers)) as url, Client(url) as client:
        assert (await client.say(text="a")).json() == {"text": "a"}
    assert "observer Clumsy failed" in caplog.text
    assert "plugin dead: it observes nothing: ovms_observe failed: ValueError" in caplog.text


async def test_an_observer_sees_every_call_with_its_outcome() -> None:
    class Notes(Observer):
        def __init__(self) -> None:
            self.seen: list[tuple[str, int]] = []

        def call_ended(self, call: Call[Any], outcome: Outcome) -> None:
            assert outcome.duration > 0
            self.seen.append((call.endpoint.path, outcome.status))

    notes = Notes()
    async with serving(app_with(talking(echo, ovms_observe=lambda: notes))) as url, Client(url) as client:
        await client.say(text="a b")
        await client.say(text="a b", stream=True)
    assert notes.seen == [("/talk", 200), ("/talk", 200)]


async def test_a_lifespan_is_open_while_the_server_runs() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def life() -> AsyncIterator[None]:
        events.append("open")
        yield
        events.append("closed")

    def lifespan(app: Application) -> Any:
        assert app.server.settings
        return life()

    async with serving(app_with(talking(echo, ovms_lifespan=lifespan))):
        assert events == ["open"]
    assert events == ["open", "closed"]


async def test_a_lifespan_that_fails_closes_the_plugins_endpoints_and_no_others() -> None:
    life = raising(OSError("/var/lib/secret is full"))
    app = app_with(talking(echo), talking(echo, "/broken", ovms_lifespan=lambda: life()))
    async with serving(app) as url, Client(url) as client:
        answer = await client.say("/v1/broken", text="a")
        assert answer.status_code == 503
        assert error_of(answer)["code"] == "plugin_down"
        assert "secret" not in answer.text
        assert "retry-after" in answer.headers
        assert (await client.say(text="a")).status_code == 200
    assert any("is full" in report.reason for report in app.server.plugins)


async def test_an_executor_a_parser_and_a_formatter_can_be_replaced() -> None:
    async def parse(request: Any) -> Call[Any]:
        endpoint = Talk(echo)
        return endpoint.call(
            request, endpoint.body(text=request.query_params["text"], stream="s" in request.query_params)
        )

    class Plain(Formatter):
        async def unary(self, call: Call[Any], events: AsyncIterator[Any]) -> Any:
            from starlette.responses import PlainTextResponse

            return PlainTextResponse("".join([event async for event in events]))

        async def stream(self, call: Call[Any], events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
            async for event in events:
                yield f'data: ["{event}"]\n\n'.encode()

    others = [
        plugin("parser", ovms_parser=lambda endpoint: parse if endpoint.path == "/talk" else None),
        plugin("executor", ovms_executor=lambda: shout),
        plugin("formatter", ovms_formatter=lambda: Plain()),
    ]
    async with serving(app_with(talking(echo), *others)) as url, Client(url) as client:
        assert (await client.post("/v1/talk?text=hello")).text == "HELLO"
        assert frames(await client.post("/v1/talk?text=hello&s=1")) == [["HELLO"]]


def test_a_plugin_may_add_commands(capsys: pytest.CaptureFixture[str]) -> None:
    from ovms_core.plugin_loading.loader import load_plugins

    def commands(cli: typer.Typer) -> None:
        cli.command("hello")(lambda: None)

    host = load_plugins(PluginSettings(), [plugin("hello", ovms_register_commands=commands)])
    cli = typer.Typer()
    host.ask("hello", "ovms_register_commands", cli=cli)
    assert [command.name for command in cli.registered_commands] == ["hello"]


def test_what_went_wrong_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    app_with(plugin("broken", ovms_register_tasks=lambda: raising(ValueError("no luck"))()))
    assert "plugin broken is quarantined: ovms_register_tasks failed: ValueError: no luck" in caplog.text


def named(name: str, app: Application) -> PluginReport:
    return next(report for report in app.server.plugins if report.name == name)


def on(task: str) -> Endpoint[Any]:
    """An endpoint for models of `task`."""
    endpoint = Talk(echo, "/on")
    endpoint.task = task  # type: ignore[misc]
    return endpoint


SCRIPTED = plugin("scripted", ovms_register_tasks=lambda: [TASK])


def test_a_misspelt_task_sets_its_plugin_aside() -> None:
    report = named("on", app_with(SCRIPTED, plugin("on", ovms_register_endpoints=lambda: [on("scripte")])))
    assert report.state is PluginState.QUARANTINED
    assert "which no plugin here has (did you mean 'scripted'?). Those here: scripted" in report.reason


def test_a_task_that_may_be_of_a_plugin_that_is_not_here_is_only_warned_of() -> None:
    broken = plugin("broken", ovms_register_tasks=lambda: raising(ValueError())())
    for others, task in ((SCRIPTED, "video_generation"), (broken, "scripte")):
        report = named("on", app_with(SCRIPTED, others, plugin("on", ovms_register_endpoints=lambda t=task: [on(t)])))
        assert report.state is PluginState.ACTIVE
        assert f"'{task}', which no plugin here has" in report.remark


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"engine": Talk}, "its engine is the class Talk, not an import path"),
        ({"engine": "my_plugin.engine"}, "its engine is 'my_plugin.engine', not an import path"),
        ({"options": Talk}, "its options are the class Talk"),
        ({"detect": lambda: 1}, "its detect is no function for it: it takes ()"),
    ],
)
def test_a_task_that_cannot_work_sets_its_plugin_aside(change: dict[str, Any], told: str) -> None:
    task = dataclasses.replace(TASK, **change)
    reason = named("odd", app_with(plugin("odd", ovms_register_tasks=lambda: [task]))).reason
    assert told in reason


def shelf(**members: Any) -> Shelf:
    """A source that has these instead of its own."""
    shelf = Shelf()
    for name, member in members.items():
        setattr(shelf, name, member)
    return shelf


ANSWERS: list[tuple[str, Any, str]] = [
    ("ovms_register_tasks", [TASK, TASK.name], "'scripted' in its list of Task objects"),
    ("ovms_register_sources", [Shelf], "return an object of it, Shelf()"),
    ("ovms_register_sources", [object()], "a source needs "),
    (
        "ovms_register_sources",
        [shelf(scheme="S3")],
        "its scheme is 'S3': write small letters, two at least, and no colon",
    ),
    ("ovms_register_sources", [shelf(scheme="s")], "its scheme is 's'"),
    (
        "ovms_register_sources",
        [shelf(fetch=lambda name, into: None)],
        "is called with (name, into, offline=, progress=)",
    ),
    ("ovms_register_endpoints", Talk, "return [Talk()]"),
    ("ovms_register_endpoints", 3, "returned 3, not a list of Endpoint objects: return [...]"),
    ("ovms_parser", shout, "it is an async generator"),
    ("ovms_formatter", Formatter, "return an object of it, Formatter()"),
]


@pytest.mark.parametrize(("hook", "answer", "told"), ANSWERS)
def test_what_a_hook_must_not_return_is_told_with_the_hook(hook: str, answer: Any, told: str) -> None:
    reason = named("odd", app_with(talking(echo), plugin("odd", **{hook: lambda: answer}))).reason
    assert reason.startswith(f"{hook} returned ")
    assert told in reason


def test_every_hook_whose_answer_is_used_has_a_row() -> None:
    assert {*ANSWERS_OF_HOOKS, "ovms_register_commands"} == {*specifications()}


MEMBERS: list[tuple[str, Any, str]] = [
    ("also", "/louder", "write ('/louder',), with the comma"),
    ("accepts", None, "None, and must be a tuple"),
    ("public", "no", "'no', and must be True or False"),
    ("streams", 1, "1, and must be True or False"),
    ("method", None, "None, and must be a text"),
    ("task", TASK, "a Task, and must be a text, or None"),
    ("path", b"/talk", "a bytes for a path: that must be a text"),
]


@pytest.mark.parametrize(("member", "value", "told"), MEMBERS)
def test_an_endpoint_whose_members_are_of_another_type_sets_its_plugin_aside(
    member: str, value: object, told: str
) -> None:
    endpoint = Talk(echo)
    setattr(endpoint, member, value)
    assert told in named("odd", app_with(plugin("odd", ovms_register_endpoints=lambda: [endpoint]))).reason


def test_whether_a_route_is_public_must_be_said_plainly() -> None:
    route = Route("GET", "/page", page, public="no")  # type: ignore[arg-type]
    reason = named("odd", app_with(plugin("odd", ovms_register_routes=lambda: [route]))).reason
    assert "public of the route /page is 'no', and must be True or False" in reason
