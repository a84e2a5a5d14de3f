"""Whatever JSON comes in, it is understood or refused with a 400: never anything else."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovms_core.errors import APIError
from ovms_core.request_body.body import Body, decode_body
from ovms_llm.fields.sampling import GenerationBody
from ovms_llm.http.chat import ChatBody
from ovms_llm.http.completions import CompletionBody
from ovms_llm.http.tokenization import DetokenizeBody, TokenizeBody

BODIES: list[type[Body]] = [ChatBody, CompletionBody, TokenizeBody, DetokenizeBody]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 3)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5)
    | st.sampled_from(["user", "assistant", "tool", "text", "image_url"])
)
keys = st.sampled_from(
    [
        *("role", "content", "type", "text", "name", "tool_calls", "function", "arguments", "include_usage"),
        *("tool_call_id", "id", "x", "Str", "int", "[0]"),
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


def documents(body: type[Body]) -> st.SearchStrategy[dict[str, Any]]:
    fields = st.dictionaries(st.sampled_from([*body.model_fields, "unknown"]), values, max_size=6)
    valid: dict[type[Body], dict[str, Any]] = {
        ChatBody: {"messages": [{"role": "user", "content": "Hi"}]},
        CompletionBody: {"prompt": "Hi"},
        TokenizeBody: {"text": "Hi"},
        DetokenizeBody: {"tokens": [1]},
    }
    return st.booleans().flatmap(lambda whole: fields.map(lambda some: valid[body] | some if whole else some))


@pytest.mark.parametrize("body", BODIES)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_any_json_is_understood_or_a_400(body: type[Body], data: st.DataObject) -> None:
    result = outcome(json.dumps(data.draw(documents(body))).encode(), body)
    if isinstance(result, APIError):
        assert result.status == 400
        assert json.loads(result.document())["error"]["message"]
    else:
        travels(result)


def outcome(raw: bytes, body: type[Body]) -> Body | APIError:
    try:
        return decode_body(raw, body)[0]
    except APIError as error:
        return error


def travels(body: Body) -> None:
    """A body that was accepted can be sent to an engine and read by a guardrail."""
    if isinstance(body, GenerationBody):
        for request in body.requests():
            assert msgspec.msgpack.encode(request)
        assert body.choice_count == body.n * len(body.prompts())
    if isinstance(body, GenerationBody | TokenizeBody):
        assert all(isinstance(text, str) for text in body.texts())


@pytest.mark.parametrize("body", BODIES)
@given(raw=st.binary(max_size=30))
@settings(max_examples=50, deadline=None)
def test_any_bytes_are_a_400(body: type[Body], raw: bytes) -> None:
    with pytest.raises(APIError) as caught:
        decode_body(raw, body)
    assert caught.value.status == 400


def test_the_server_side_imports_nothing_heavy() -> None:
    code = (
        "import sys, ovms_llm.hooks as hooks; from ovms_core.plugin import Settings;"
        "list(hooks.ovms_register_endpoints(Settings())); hooks.ovms_register_tasks();"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " ('openvino', 'openvino_genai', 'transformers', 'torch', 'numpy', 'gguf')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
