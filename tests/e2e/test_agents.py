"""Agent frameworks, unchanged, against a model that knows no tools: grammars make its calls certain.

`instructor` is not among the dependencies of development, since it holds back the `openai` client's version; its tests
are in `test_instructor.py` and run where it is installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from agents import (
    Agent,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic import BaseModel, SecretStr
from pydantic_ai import Agent as TypedAgent
from pydantic_ai import NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.openai import OpenAIResponsesModel as TypedResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from tests.e2e.server import Server
from tests.e2e.test_openai_structured import Room, Wall

pytestmark = pytest.mark.real

QUIET = RunConfig(tracing_disabled=True)
SETTINGS: Any = {"temperature": 0, "max_tokens": 96, "parallel_tool_calls": False}


@pytest_asyncio.fixture
async def client(chat_server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{chat_server.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


# -- openai-agents


@pytest.fixture(params=[OpenAIResponsesModel, OpenAIChatCompletionsModel], ids=["responses", "chat"])
def model(request: pytest.FixtureRequest, client: AsyncOpenAI) -> Model:
    made: Model = request.param("smollm2", openai_client=client)
    return made


def settings(**more: Any) -> ModelSettings:
    return ModelSettings(temperature=0, max_tokens=96, parallel_tool_calls=False, **more)


class Switches:
    """What an agent switches."""

    def __init__(self) -> None:
        self.rooms: list[str] = []

        def light(room: Literal["kitchen", "hall"], on: bool) -> str:
            """Switch the light of a room."""
            self.rooms.append(room)
            return "The light is on now." if on else "The light is off now."

        self.tool = function_tool(light)


async def test_an_agent_calls_its_function_and_then_answers(model: Model) -> None:
    switches = Switches()
    agent = Agent(
        "Home",
        tools=[switches.tool],
        model=model,
        model_settings=settings(tool_choice="required"),
        instructions="Help.",
    )
    result = await Runner.run(agent, "Light in the hall, please.", run_config=QUIET, max_turns=4)
    assert switches.rooms
    assert isinstance(result.final_output, str)
    kinds = [item.type for item in result.new_items]
    assert kinds.index("tool_call_item") < kinds.index("tool_call_output_item") < len(kinds) - 1


async def test_an_agent_hands_over_to_another(model: Model) -> None:
    cook = Agent("Cook", model=model, model_settings=settings(), instructions="Be brief.")
    desk = Agent(
        "Desk",
        handoffs=[cook],
        model=model,
        model_settings=settings(tool_choice="transfer_to_cook"),
        instructions="Help.",
    )
    result = await Runner.run(
        desk, "What is the capital of France? Answer in one short sentence.", run_config=QUIET, max_turns=4
    )
    assert result.last_agent is cook
    assert result.final_output


async def test_an_agent_streams_its_calls_and_its_text(model: Model) -> None:
    switches = Switches()
    agent = Agent(
        "Home", tools=[switches.tool], model=model, model_settings=settings(tool_choice="light"), instructions="Help."
    )
    result = Runner.run_streamed(agent, "Light in the kitchen, please.", run_config=QUIET, max_turns=4)
    raw, items = [], []
    async for event in result.stream_events():
        if event.type == "raw_response_event":
            raw.append(event.data.type)
        elif event.type == "run_item_stream_event":
            items.append(event.name)
    assert switches.rooms
    assert items[:2] == ["tool_called", "tool_output"]
    assert {"response.function_call_arguments.delta", "response.output_text.delta"} <= set(raw)


async def test_an_agents_output_is_of_its_class(model: Model) -> None:
    agent = Agent("Painter", model=model, model_settings=settings(), instructions="Paint.", output_type=Room)
    result = await Runner.run(agent, "A room.", run_config=QUIET)
    assert isinstance(result.final_output, Room)


# -- pydantic-ai


@pytest.fixture(params=[OpenAIChatModel, TypedResponsesModel], ids=["chat", "responses"])
def typed_model(request: pytest.FixtureRequest, client: AsyncOpenAI) -> Any:
    return request.param("smollm2", provider=OpenAIProvider(openai_client=client))


@pytest.mark.parametrize("output", [ToolOutput, NativeOutput])
async def test_a_typed_agents_output_is_of_its_class(typed_model: Any, output: Any) -> None:
    agent: Any = TypedAgent(typed_model, output_type=output(Room), model_settings=SETTINGS)
    result = await agent.run("A room.")
    assert isinstance(result.output, Room)


async def test_a_typed_agent_streams_its_output(typed_model: Any) -> None:
    agent: Any = TypedAgent(typed_model, output_type=ToolOutput(Wall), model_settings=SETTINGS)
    async with agent.run_stream("A wall.") as stream:
        assert isinstance(await stream.get_output(), Wall)


# -- LangChain


@pytest.fixture
def langchain(chat_server: Server) -> ChatOpenAI:
    return _langchain(chat_server)


def _langchain(server: Server, **more: Any) -> ChatOpenAI:
    key = SecretStr("none")
    fields: dict[str, Any] = {"temperature": 0, "max_completion_tokens": 96, "max_retries": 0, **more}
    return ChatOpenAI(model="smollm2", base_url=f"{server.url}/v1", api_key=key, **fields)


@pytest.mark.parametrize("responses", [False, True])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchains_structured_output_is_of_its_class(chat_server: Server, method: Any, responses: bool) -> None:
    model = _langchain(chat_server, use_responses_api=responses)
    assert isinstance(model.with_structured_output(Room, method=method).invoke("A room."), Room)


def test_langchains_json_mode_gives_an_object(langchain: ChatOpenAI) -> None:
    bound = langchain.bind(response_format={"type": "json_object"}, max_tokens=24)
    assert str(bound.invoke("A person, as JSON.").content).startswith("{")


class Leave(BaseModel):
    """Leave the room."""

    door: Literal["left", "right"]


@pytest.mark.parametrize("choice", ["any", "Leave"])
def test_langchain_binds_tools(langchain: ChatOpenAI, choice: str) -> None:
    message = langchain.bind_tools([Leave], tool_choice=choice, parallel_tool_calls=False).invoke("Go.")
    assert isinstance(message, AIMessage)
    assert message.tool_calls[0]["name"] == "Leave"
    assert message.tool_calls[0]["args"]["door"] in ("left", "right")
    assert not message.invalid_tool_calls


def test_langchain_streams_tool_calls(langchain: ChatOpenAI) -> None:
    chunks = list(langchain.bind_tools([Leave], tool_choice="Leave", parallel_tool_calls=False).stream("Go."))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    assert whole.tool_calls[0]["args"]["door"] in ("left", "right")
