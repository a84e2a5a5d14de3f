"""What a server answers to requests that are wrong."""

from __future__ import annotations

import json
from typing import Any, Final

from ovms_conformance.feature import Group, Target, expect, expect_fully, skip
from ovms_conformance.features.text.asking import PATH, question
from ovms_core.command import Answer

errors = Group("Errors", needs="chat_model")

_MEMBERS: Final = {"message", "type", "param", "code"}
_JSON: Final = {"content-type": "application/json"}


def _expect_error(answer: Answer, status: int) -> Any:
    """The error in `answer`, which should have this status and OpenAI's shape."""
    expect(answer.status >= 400, f"{answer.status} instead of {status}")
    expect_fully(answer.status == status, f"{answer.status} instead of {status}")
    error = answer.json().get("error")
    expect_fully(isinstance(error, dict) and error.get("message"), "there is no error.message")
    expect_fully(set(error) >= _MEMBERS, f"the error lacks {', '.join(sorted(_MEMBERS - set(error)))}")
    return error


def _expect_refused(target: Target, **fields: Any) -> None:
    """A request with these fields is refused, with the name of the first in `param`."""
    error = _expect_error(target.server.send_json(PATH, {**question(target), **fields}), 400)
    name = next(iter(fields))
    expect_fully(name in str(error["param"]), f"param is {error['param']!r} instead of {name!r}")


@errors.feature
def unknown_model(target: Target) -> None:
    """A model that is not there is a 404."""
    _expect_error(target.server.send_json(PATH, question(target, model="no-such-model")), 404)


@errors.feature
def malformed_json(target: Target) -> None:
    """A body that is no JSON is a 400."""
    _expect_error(target.server.send("POST", PATH, b'{"model": ', _JSON), 400)


@errors.feature
def wrong_type(target: Target) -> None:
    """A field of the wrong type is a 400 that names it in `param`."""
    _expect_refused(target, temperature="hot")


@errors.feature
def value_out_of_range(target: Target) -> None:
    """A value that makes no sense is a 400 that names its field in `param`."""
    _expect_refused(target, temperature=-1)


@errors.feature
def not_a_number(target: Target) -> None:
    """`NaN`, which is no JSON, is a 400."""
    content = json.dumps(question(target, temperature=float("nan"))).encode()
    _expect_error(target.server.send("POST", PATH, content, _JSON), 400)


@errors.feature
def missing_field(target: Target) -> None:
    """A request without `messages` is a 400 that names them in `param`."""
    error = _expect_error(target.server.send_json(PATH, {"model": target.chat_model}), 400)
    expect_fully(error["param"] == "messages", f"param is {error['param']!r} instead of 'messages'")


@errors.feature
def unknown_field(target: Target) -> str:
    """A field that is misspelt is refused, or named in the answer's headers: a slip of the pen is noticed."""
    name = "temprature"
    answer = target.server.send_json(PATH, {**question(target), name: 1})
    if answer.status == 400:
        expect_fully(name in answer.content.decode(), "it is refused without its name")
        return "refused by name"
    expect(answer.status == 200, f"{answer.status} instead of 400")
    expect_fully(any(name in value for value in answer.headers.values()), "it is silently ignored")
    return "named in a header"


@errors.feature
def error_before_a_stream(target: Target) -> None:
    """A request for a stream that is wrong gets the status of its error, not 200."""
    _expect_error(target.server.send_json(PATH, question(target, model="no-such-model", stream=True)), 404)


@errors.feature
def unknown_route(target: Target) -> None:
    """A path that is not there is a 404 of the same shape."""
    _expect_error(target.server.send_json("/no/such/path", {}), 404)


@errors.feature
def wrong_method(target: Target) -> None:
    """A method that a path does not have is a 405 with `Allow`."""
    answer = target.server.send("DELETE", PATH)
    _expect_error(answer, 405)
    expect_fully("POST" in answer.headers.get("allow", ""), "there is no Allow header that says what would be right")


@errors.feature
def wrong_content_type(target: Target) -> None:
    """A body that is not said to be JSON is a 415."""
    content = json.dumps(question(target)).encode()
    _expect_error(target.server.send("POST", PATH, content, {"content-type": "text/plain"}), 415)


@errors.feature
def missing_key(target: Target) -> None:
    """Without the API key the answer is a 401 with `WWW-Authenticate`."""
    if target.server.api_key is None:
        skip("--api-key is not given")
    answer = target.server.stranger.send_json(PATH, question(target))
    _expect_error(answer, 401)
    expect_fully("www-authenticate" in answer.headers, "there is no WWW-Authenticate header")
