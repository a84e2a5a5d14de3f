"""What well-known clients send, as their sources write it: each request is answered, and says what it ignored."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.e2e.server import Server, started

pytestmark = pytest.mark.real

SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
USER = {"role": "user", "content": "Say hello."}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    models: list[dict[str, Any]] = [
        {"name": "smollm2", "source": "starter:smollm2", "device": "CPU", "options": {"cache_size": 0.25}},
        {
            "name": "minilm",
            "source": "starter:minilm",
            "device": "CPU",
            "options": {"token_inputs": "cl100k_base"},  # as the guide tells users of LangChain
        },
    ]
    with started(tmp_path_factory.mktemp("wild"), models) as server, _client(server) as client:
        yield client


def _client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/v1", headers={"authorization": "Bearer none"}, timeout=120)


@dataclass(frozen=True)
class Sent:
    """A request of a client, and those of its fields that have no effect here."""

    client: str
    body: dict[str, Any]
    ignored: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return self.client


def posted(client: httpx.Client, path: str, sent: Sent) -> httpx.Response:
    response = client.post(path, json=sent.body)
    assert response.status_code == 200, response.text
    named = response.headers.get("x-ignored-params")
    assert set(named.split(", ") if named else []) == sent.ignored
    return response


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    *frames, last, end = response.text.split("\n\n")
    assert (last, end) == ("data: [DONE]", "")
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


CHATS = [
    Sent(
        "Open WebUI, a chat",
        {
            "stream": True,
            "model": "smollm2",
            "messages": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Say hello."}]}],
            "stream_options": {"include_usage": True},
            "max_tokens": 8,
        },
    ),
    Sent(
        "Open WebUI, with every advanced parameter set",
        {
            "stream": True,
            "model": "smollm2",
            "messages": [SYSTEM, USER],
            "seed": 0,
            "stop": ["\n\n", "<|end|>"],
            "temperature": 0.8,
            "reasoning_effort": "none",
            "frequency_penalty": 1.1,
            "presence_penalty": 0.0,
            "top_k": 40,
            "top_p": 0.9,
            "min_p": 0.0,
            "max_tokens": 8,
            "mirostat": 0,
            "mirostat_eta": 0.1,
            "mirostat_tau": 5.0,
            "repeat_last_n": 64,
            "tfs_z": 1,
            "num_ctx": 2048,
            "num_batch": 512,
            "num_keep": 24,
            "keep_alive": "5m",
            "think": False,
            "use_mmap": True,
            "num_thread": 2,
        },
        {
            *("reasoning_effort", "mirostat", "mirostat_eta", "mirostat_tau", "repeat_last_n", "tfs_z", "num_ctx"),
            *("num_batch", "num_keep", "keep_alive", "think", "use_mmap", "num_thread"),
        },
    ),
    Sent(
        "Open WebUI, the title of a chat",
        {"model": "smollm2", "messages": [USER], "stream": False, "max_completion_tokens": 8},
    ),
    Sent(
        "LibreChat, a custom endpoint",
        {
            "model": "smollm2",
            "temperature": 1,
            "top_p": 1,
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "user": "66b3f0c5a2d1e40012345678",
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 8,
            "reasoning_effort": "medium",
            "include_reasoning": True,
            "messages": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Say hello."}]}],
        },
        {"user", "reasoning_effort"},
    ),
    Sent(
        "LibreChat, the title of a conversation",
        {"model": "smollm2", "temperature": 0.2, "max_tokens": 8, "stream": False, "messages": [USER]},
    ),
    Sent(
        "Continue, a chat",
        {
            "messages": [SYSTEM, USER, {"role": "assistant", "content": " "}, USER],
            "model": "smollm2",
            "max_tokens": 8,
            "stream": True,
            "stop": ["<|im_end|>", "<|im_start|>", "<|endoftext|>"],
            "stream_options": {"include_usage": True},
        },
    ),
    Sent(
        "Cline, an OpenAI-compatible provider",
        {
            "messages": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "<task>Say hello.</task>"}]}],
            "model": "smollm2",
            "max_tokens": 8,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    Sent(
        "Cline, with reasoning and a prompt cache",
        {
            "messages": [
                SYSTEM,
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Say hello.", "cache_control": {"type": "ephemeral"}}],
                },
            ],
            "model": "smollm2",
            "max_tokens": 8,
            "stream": True,
            "stream_options": {"include_usage": True},
            "thinking": {"type": "adaptive"},
            "reasoning": {"effort": "high"},
            "cache_control": {"type": "ephemeral"},
        },
        {"thinking", "reasoning.effort", "cache_control", "messages[1].content[0].cache_control"},
    ),
    Sent(
        "LangChain, its defaults",
        {"model": "smollm2", "stream": False, "messages": [USER], "max_completion_tokens": 8},
    ),
    Sent(
        "LangChain, a stream",
        {
            "model": "smollm2",
            "stream": True,
            "messages": [SYSTEM, USER],
            "max_completion_tokens": 8,
            "n": 2,
            "stop": ["x"],
            "stream_options": {"include_usage": True},
            "temperature": 0.0,
        },
    ),
    Sent(
        "Nextcloud's assistant",
        {"model": "smollm2", "messages": [SYSTEM, USER], "n": 1, "stream": False, "max_completion_tokens": 8},
    ),
    Sent(
        "Home Assistant, the extended OpenAI conversation",
        {
            "model": "smollm2",
            "messages": [{"role": "system", "content": "I want you to act as smart home manager."}, USER],
            "top_p": 1,
            "temperature": 0.5,
            "user": "01HZX5M3K9",
            "max_tokens": 8,
        },
        {"user"},
    ),
    Sent(
        "Home Assistant, a local OpenAI LLM",
        {
            "model": "smollm2",
            "temperature": 0.6,
            "parallel_tool_calls": False,
            "messages": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Say hello."}]}],
            "chat_template_kwargs": {"enable_thinking": False},
            "metadata": {"session_id": "01HZX5M3K9"},
            "max_tokens": 8,
            "stream": True,
        },
        {"metadata"},
    ),
    Sent(
        "n8n, the OpenAI chat model",
        {
            "model": "smollm2",
            "temperature": 0.7,
            "top_p": 1,
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "max_tokens": 8,
            "stream": False,
            "response_format": {"type": "text"},
            "reasoning_effort": "medium",
            "messages": [SYSTEM, USER],
        },
        {"reasoning_effort"},
    ),
]


@pytest.mark.parametrize("sent", CHATS, ids=str)
def test_a_chat_is_answered(client: httpx.Client, sent: Sent) -> None:
    response = posted(client, "/chat/completions", sent)
    count = sent.body.get("n", 1)
    if not sent.body.get("stream"):
        answer = ChatCompletion.model_validate_json(response.content, strict=True)
        assert all(choice.message.content for choice in answer.choices)
        assert len(answer.choices) == count
        return
    chunks = [ChatCompletionChunk.model_validate(chunk, strict=True) for chunk in chunks_of(response)]
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert sum(choice.finish_reason is not None for choice in choices) == count
    assert any(choice.delta.content for choice in choices)
    assert (chunks[-1].usage is not None) is ("stream_options" in sent.body)


COMPLETIONS = [
    Sent(
        "Continue, the completion of code",
        {
            "model": "smollm2",
            "max_tokens": 8,
            "temperature": 0.01,
            "stream": True,
            "stop": [
                *(
                    "<|endoftext|>",
                    "<|fim_prefix|>",
                    "<|fim_middle|>",
                    "<|fim_suffix|>",
                    "<|fim_pad|>",
                    "<|repo_name|>",
                ),
                *("<|file_sep|>", "<|im_start|>", "<|im_end|>", "/src/", "#- coding: utf-8", "```"),
            ],
            "prompt": "<|fim_prefix|>def add(a, b):\n    return <|fim_suffix|>\n\nadd(1, 2)\n<|fim_middle|>",
        },
    ),
    Sent(
        "LangChain, its defaults",
        {
            "model": "smollm2",
            "prompt": ["Once upon a time, there was a"],
            "frequency_penalty": 0,
            "logprobs": None,
            "max_tokens": 8,
            "n": 1,
            "presence_penalty": 0,
            "seed": None,
            "temperature": 0.7,
            "top_p": 1,
        },
    ),
    Sent(
        "Nextcloud's assistant",
        {"model": "smollm2", "prompt": "Once upon a time, there was a", "max_tokens": 8, "n": 1, "user": "alice"},
        {"user"},
    ),
]


@pytest.mark.parametrize("sent", COMPLETIONS, ids=str)
def test_a_text_is_continued(client: httpx.Client, sent: Sent) -> None:
    response = posted(client, "/completions", sent)
    if not sent.body.get("stream"):
        assert Completion.model_validate_json(response.content, strict=True).choices[0].text
        return
    choices = [chunk["choices"][0] for chunk in chunks_of(response)]
    assert "".join(choice["text"] for choice in choices)
    assert choices[-1]["finish_reason"] in ("stop", "length")


TEXTS = ["A cat sleeps.", "Taxes are due in April."]
EMBEDDINGS = [
    Sent("Open WebUI", {"input": TEXTS, "model": "minilm"}),
    Sent(
        "Continue",
        {"model": "minilm", "input": TEXTS, "encoding_format": "base64"},
    ),
    Sent(
        "LangChain and LibreChat's RAG, their defaults: token ids",
        {
            "input": [[32, 8415, 72490, 13], [51, 20589, 527, 4245, 304, 5936, 13]],
            "model": "minilm",
            "encoding_format": "base64",
        },
    ),
    Sent("n8n", {"model": "minilm", "input": TEXTS, "encoding_format": "float"}),
]


@pytest.mark.parametrize("sent", EMBEDDINGS, ids=str)
def test_texts_become_the_same_vectors_for_all(client: httpx.Client, sent: Sent) -> None:
    document = posted(client, "/embeddings", sent).json()
    if sent.body.get("encoding_format") != "base64":
        CreateEmbeddingResponse.model_validate(document)
    expected = client.post("/embeddings", json={"input": TEXTS, "model": "minilm"}).json()
    assert np.allclose(_vectors(document), _vectors(expected), atol=1e-4)


def _vectors(document: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    found = [item["embedding"] for item in document["data"]]
    rows = [np.frombuffer(b64decode(each), "<f4") if isinstance(each, str) else each for each in found]
    return np.array(rows, np.float32)


def test_models_are_listed_as_all_of_them_ask_first(client: httpx.Client) -> None:
    listed = client.get("/models").json()
    assert listed["object"] == "list"
    assert {model["id"] for model in listed["data"]} == {"smollm2", "minilm"}


def test_a_home_assistants_tools_are_taken_and_a_hosted_one_is_refused_by_name(client: httpx.Client) -> None:
    tool = {"type": "function", "function": {"name": "light", "parameters": {"type": "object"}}}
    response = client.post("/chat/completions", json={"messages": [USER], "tools": [tool], "max_tokens": 8})
    assert response.status_code == 200
    response = client.post("/chat/completions", json={"messages": [USER], "tools": [tool, {"type": "web_search"}]})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "tools[1].type")
    assert "web_search" in response.json()["error"]["message"]
