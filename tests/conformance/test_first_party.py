"""The first-party endpoints, with the starter models, pass what is asked of everybody's."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

import ovms_embeddings.hooks
import ovms_imagegen.hooks
import ovms_llm.hooks
import ovms_rerank.hooks
import ovms_starter.hooks
from ovms_core.settings import ModelSettings
from ovms_core.testing import EndpointContract
from ovms_embeddings.http.endpoint import Embeddings
from ovms_imagegen.http.endpoints import Edits, Generations
from ovms_llm.http.chat import ChatCompletions
from ovms_llm.http.completions import Completions
from ovms_rerank.http.rerank import Rerank
from ovms_rerank.http.score import Scores

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9Q"
    "DwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def starter(name: str, **options: Any) -> ModelSettings:
    """A starter model on the CPU."""
    return ModelSettings(source=f"starter:{name}", device="CPU", options=options)


@pytest.mark.real
class TestChatCompletions(EndpointContract):
    plugin = ovms_llm.hooks
    needs = (ovms_starter.hooks,)
    endpoint = ChatCompletions
    models = (starter("smollm2", cache_size=1, deterministic=True),)  # or else a resume may change greedy text
    valid_body: ClassVar = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 6, "temperature": 0}


@pytest.mark.real
class TestCompletions(EndpointContract):
    plugin = ovms_llm.hooks
    needs = (ovms_starter.hooks,)
    endpoint = Completions
    models = (starter("smollm2", cache_size=1, deterministic=True),)  # or else a resume may change greedy text
    # The model is sure of how it goes on: a prompt that is read anew may turn what is nearly a tie.
    valid_body: ClassVar = {"prompt": "1, 2, 3, 4, 5,", "max_tokens": 6, "temperature": 0}


@pytest.mark.real
class TestEmbeddings(EndpointContract):
    plugin = ovms_embeddings.hooks
    needs = (ovms_starter.hooks,)
    endpoint = Embeddings
    models = (starter("minilm"),)
    valid_body: ClassVar = {"input": ["one text", "another"]}


@pytest.mark.real
class TestRerank(EndpointContract):
    plugin = ovms_rerank.hooks
    needs = (ovms_starter.hooks,)
    endpoint = Rerank
    models = (starter("tiny-reranker"),)
    valid_body: ClassVar = {"query": "fruit", "documents": ["an apple", "a bicycle"]}


@pytest.mark.real
class TestScore(EndpointContract):
    plugin = ovms_rerank.hooks
    needs = (ovms_starter.hooks,)
    endpoint = Scores
    models = (starter("tiny-reranker"),)
    valid_body: ClassVar = {"text_1": "fruit", "text_2": ["an apple", "a bicycle"]}


class Pictures(EndpointContract):
    """What is said of a picture is its file."""

    plugin = ovms_imagegen.hooks
    needs = (ovms_starter.hooks,)
    models = (starter("shapes", default_steps=2),)

    def said(self, document: Any) -> str:
        return "".join(picture["b64_json"] for picture in document.get("data", [document]))


@pytest.mark.real
class TestImageGenerations(Pictures):
    endpoint = Generations
    valid_body: ClassVar = {"prompt": "a red circle", "seed": 1}
    ends_with = "image_generation.completed"


@pytest.mark.real
class TestImageEdits(Pictures):
    endpoint = Edits
    valid_body: ClassVar = {"prompt": "a red circle", "seed": 1, "image": PIXEL}
    ends_with = "image_edit.completed"
