"""Conversations: what a request sends, what it continues, and what becomes of it in the prompt."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from tests.plugins.ovms_llm.responses.conftest import WEATHER, Api, call, served, words

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_tool_round_trip_continues_a_response(api: Api) -> None:
    api.says(*words("<think>", "Hm.", "</think>"), *call("weather", '{"city":"Rome"}'), *words("", finish="stop"))
    first = await api.responses.create(input="Rome?", tools=[WEATHER], instructions="Be brief.")
    call_id = first.output[-1].call_id  # type: ignore[union-attr]
    api.says(*words("Sunny.", finish="stop"))
    second = await api.responses.create(
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call_id, "output": "sun"}],
    )
    assert second.previous_response_id == first.id
    assert _prompt(api) == [
        {"role": "user", "content": "Rome?"},
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "Hm.",
            "thinking": "Hm.",
            "tool_calls": [
                {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": {"city": "Rome"}}}
            ],
        },
        {"role": "tool", "content": "sun", "tool_call_id": call_id},
    ]
    await api.responses.create(previous_response_id=second.id, input="Thanks")
    assert [message["content"] for message in _prompt(api)] == ["Rome?", "", "sun", "Sunny.", "Thanks"]


def _prompt(api: Api) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = api.engine.requests[-1].prompt.messages
    return messages


async def test_what_was_answered_can_be_sent_back_instead(api: Api) -> None:
    api.says(
        *words("<think>", "Hm.", "</think>", "Yes."), *call("weather", '{"city":"Rome"}'), *words("", finish="stop")
    )
    first = await api.responses.create(input="Hi", store=False, tools=[WEATHER])
    call_id = first.output[-1].call_id  # type: ignore[union-attr]
    sent: list[Any] = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_text", "text": "there"}]},
        *(item.to_dict() for item in first.output),
        {"type": "function_call_output", "call_id": call_id, "output": [{"type": "input_text", "text": "done"}]},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "And?"},
    ]
    answer = await api.responses.with_raw_response.create(input=sent, store=False)
    assert "x-ignored-params" not in answer.headers
    roles = [(each["role"], each["content"]) for each in _prompt(api)]
    assert roles == [
        ("user", "Hi\nthere"),
        ("assistant", "Yes."),
        ("tool", "done"),
        ("system", "Be kind."),
        ("user", "And?"),
    ]
    assert _prompt(api)[1]["reasoning_content"] == "Hm."


async def test_parallel_calls_are_one_turn_and_calls_one_by_one_are_several(api: Api) -> None:
    def sent(order: str) -> list[Any]:
        kinds: dict[str, dict[str, Any]] = {
            "a": {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            "b": {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{}"},
            "A": {"type": "function_call_output", "call_id": "1", "output": "x"},
            "B": {"type": "function_call_output", "call_id": "2", "output": "y"},
        }
        return [kinds[letter] for letter in order]

    for order, roles in {"abAB": "assistant tool tool", "aAbB": "assistant tool assistant tool"}.items():
        await api.responses.create(input=sent(order))
        assert " ".join(each["role"] for each in _prompt(api)) == roles


async def test_a_stored_item_can_be_referred_to(api: Api) -> None:
    first = await api.responses.create(input="Hi")
    await api.responses.create(
        input=[{"type": "item_reference", "id": first.output[0].id or ""}, {"role": "user", "content": "And?"}]
    )
    assert [each["content"] for each in _prompt(api)] == ["Hello wörld!", "And?"]
    with pytest.raises(openai.BadRequestError) as refused:
        await api.responses.create(input=[{"type": "item_reference", "id": "msg_x"}])
    assert _error(refused) == ("item_not_found", "input[0].id")


def _error(refused: Any) -> tuple[str, str]:
    return refused.value.body["code"], refused.value.body["param"]


async def test_instructions_are_not_carried_over(api: Api) -> None:
    first = await api.responses.create(input="Hi", instructions="Be brief.")
    assert _prompt(api)[0] == {"role": "system", "content": "Be brief."}
    await api.responses.create(input="Go on", previous_response_id=first.id)
    assert [each["role"] for each in _prompt(api)] == ["user", "assistant", "user"]


async def test_an_unknown_response_cannot_be_continued(api: Api) -> None:
    unstored = await api.responses.create(input="Hi", store=False)
    for id in (unstored.id, "resp_x"):
        with pytest.raises(openai.BadRequestError) as refused:
            await api.responses.create(input="Go on", previous_response_id=id)
        assert _error(refused) == ("previous_response_not_found", "previous_response_id")


async def test_a_conversation_that_lost_a_link_cannot_be_continued(api: Api) -> None:
    first = await api.responses.create(input="Hi")
    second = await api.responses.create(input="Go on", previous_response_id=first.id)
    await api.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError, match="which 'resp_"):
        await api.responses.create(input="Go on", previous_response_id=second.id)


async def test_an_output_needs_its_call(api: Api) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await api.responses.create(
            input=[
                {"role": "user", "content": "Hi"},
                {"type": "function_call_output", "call_id": "call_x", "output": "y"},
            ]
        )
    assert _error(refused) == ("invalid_value", "input[1].call_id")


KEYS = {"ada": "key-of-ada", "bob": "key-of-bob"}


async def test_nobody_sees_what_another_key_stored() -> None:
    async with served(api_keys=KEYS) as api:
        ada, bob = (api.client_of(key).responses for key in KEYS.values())
        response = await ada.create(input="Hi")
        assert (await ada.retrieve(response.id)).id == response.id
        for refused in (bob.retrieve, bob.delete, bob.cancel, bob.input_items.list):
            with pytest.raises(openai.NotFoundError) as caught:
                await refused(response.id)
            assert caught.value.body["code"] == "response_not_found"  # type: ignore[index]
        with pytest.raises(openai.BadRequestError):
            await bob.create(input="Go on", previous_response_id=response.id)
        with pytest.raises(openai.BadRequestError):
            await bob.create(input=[{"type": "item_reference", "id": response.output[0].id or ""}])
        await ada.delete(response.id)
        with pytest.raises(openai.NotFoundError):
            await ada.retrieve(response.id)


async def test_nobody_can_hide_anothers_items() -> None:
    async with served(api_keys=KEYS) as api:
        ada, bob = (api.client_of(key).responses for key in KEYS.values())
        id = (await ada.create(input="Hi")).output[0].id or ""
        await bob.create(input=[{"type": "message", "role": "assistant", "content": "Bad", "id": id}])  # type: ignore[list-item]
        await ada.create(input=[{"type": "item_reference", "id": id}])
        assert [each["content"] for each in _prompt(api)] == ["Hello wörld!"]


async def test_a_stored_conversation_is_no_larger_than_a_body_may_be() -> None:
    async with served(max_body_size=4000) as api:
        last = await api.responses.create(input="x" * 2000)
        last = await api.responses.create(input="Go on", previous_response_id=last.id)
        last = await api.responses.create(input="x" * 2000, previous_response_id=last.id)
        with pytest.raises(openai.APIStatusError) as refused:
            await api.responses.create(input="Go on", previous_response_id=last.id)
        assert refused.value.status_code == 413
