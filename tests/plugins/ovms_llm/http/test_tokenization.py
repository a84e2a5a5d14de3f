from __future__ import annotations

from typing import Any

import pytest
from tests.plugins.ovms_llm.http.conftest import Server, error_of

from ovms_llm.messages import Chat, Text


@pytest.mark.parametrize("path", ["/tokenize", "/v1/tokenize", "/v3/tokenize"])
@pytest.mark.parametrize("field", ["prompt", "text"])
async def test_a_text_is_tokenised_wherever_a_client_asks(server: Server, path: str, field: str) -> None:
    response = await server.post(path, {field: "ab"})
    assert response.json() == {"tokens": [97, 98], "count": 2, "max_model_len": 2048, "token_strs": None}


async def test_token_strings_come_when_asked_for(server: Server) -> None:
    response = await server.post("/tokenize", {"prompt": "ab", "return_token_strs": True})
    assert response.json()["token_strs"] == ["a", "b"]


async def test_a_list_of_texts_gets_a_list_of_tokens_each_in_order(server: Server) -> None:
    response = await server.post("/tokenize", {"text": ["abc", "", "d"], "return_token_strs": True})
    assert response.json() == {
        "tokens": [[97, 98, 99], [], [100]],
        "count": 4,
        "max_model_len": 2048,
        "token_strs": [["a", "b", "c"], [], ["d"]],
    }


async def test_special_tokens_are_added_unless_the_client_objects(server: Server) -> None:
    for given, added in ((None, True), (True, True), (False, False)):
        await server.post("/tokenize", {"prompt": "a", "add_special_tokens": given})
        assert server.runner.requests[-1].prompt == Text("a", add_special_tokens=added)


async def test_a_conversation_is_tokenised_as_chat_would_render_it(server: Server, user: dict[str, Any]) -> None:
    fields = {"add_generation_prompt": False, "chat_template_kwargs": {"a": 1}, "chat_template": "rag"}
    assert (await server.post("/tokenize", {"messages": [user], **fields})).status_code == 200
    assert server.asked.prompt == Chat([user], add_generation_prompt=False, template_kwargs={"a": 1}, template="rag")


async def test_tokens_become_text_under_both_names(server: Server) -> None:
    response = await server.post("/detokenize", {"tokens": [97, 98.0]})
    assert response.json() == {"prompt": "ab", "text": "ab"}


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("/tokenize", {}, "prompt", "invalid_value"),
    ("/tokenize", {"prompt": "a", "text": "a"}, "text", "invalid_value"),
    ("/tokenize", {"text": []}, "text", "invalid_value"),
    ("/tokenize", {"text": ["a", 5]}, "text[1]", "invalid_value"),
    ("/tokenize", {"messages": []}, "messages", "invalid_value"),
    (
        "/tokenize",
        {"messages": [{"role": "user", "content": "a"}], "add_special_tokens": True},
        "add_special_tokens",
        "invalid_value",
    ),
    ("/tokenize", {"text": "a", "max_length": 3}, "max_length", "unsupported_parameter"),
    ("/tokenize", {"texts": "a"}, "texts", "unknown_field"),
    ("/detokenize", {}, "tokens", "missing_field"),
    ("/detokenize", {"tokens": []}, "tokens", "invalid_value"),
    ("/detokenize", {"tokens": [-1]}, "tokens[0]", "invalid_value"),
    ("/detokenize", {"tokens": "ab"}, "tokens", "invalid_value"),
]


@pytest.mark.parametrize(("path", "body", "param", "code"), REFUSED)
async def test_what_is_wrong_is_refused_with_its_path(
    server: Server, path: str, body: dict[str, Any], param: str, code: str
) -> None:
    error = error_of(await server.post(path, body))
    assert (error["param"], error["code"]) == (param, code)
