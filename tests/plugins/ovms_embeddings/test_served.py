"""The starter model on a real socket: the embedding classes of other libraries, and a worker that is killed."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import psutil
import pytest
import pytest_asyncio
from tests.plugins.ovms_embeddings.asking import Vectors, cosines

from ovms_core.settings import ModelSettings
from ovms_core.testing import app_with, serving
from ovms_embeddings import hooks

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

TEXTS = ["A cat sleeps on the sofa.", "Taxes are due in April.", "Un chat\ndort."]
REQUESTS = 24
VOCABULARY = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
_SCRIPT = """
import json, sys
{imports}
url, texts, fields = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
{calls}
"""


@dataclass(frozen=True)
class Client:
    """A library whose embedding class speaks to OpenAI: a script that prints the vectors of texts, and of the first as
    a query."""

    package: str
    module: str
    script: str
    why_not: str = ""
    agreement: float = 1 - 1e-4


CLIENTS = [
    Client(
        "langchain-openai",
        "langchain_openai",
        _SCRIPT.format(
            imports="from langchain_openai import OpenAIEmbeddings",
            calls="""
client = OpenAIEmbeddings(
    model="minilm", base_url=url, api_key="none", check_embedding_ctx_length=False, chunk_size=2, **fields
)
print(json.dumps([*client.embed_documents(texts), client.embed_query(texts[0])]))
""",
        ),
    ),
    Client(
        "langchain-openai",
        "langchain_openai",
        _SCRIPT.format(
            imports="from langchain_openai import OpenAIEmbeddings",
            calls="""
client = OpenAIEmbeddings(model="minilm", base_url=url, api_key="none", **fields)
print(json.dumps([*client.embed_documents(texts), client.embed_query(texts[0])]))
""",
        ),
        agreement=0.99,
    ),
    Client(
        "llama-index-embeddings-openai",
        "llama_index.embeddings.openai",
        _SCRIPT.format(
            imports="from llama_index.embeddings.openai import OpenAIEmbedding",
            calls="""
client = OpenAIEmbedding(model_name="minilm", api_base=url, api_key="none", embed_batch_size=2, **fields)
print(json.dumps([*client.get_text_embedding_batch(texts), client.get_query_embedding(texts[0])]))
""",
        ),
        why_not=": it brings over 100 MB that nothing else here needs",
    ),
]


def _workers() -> set[psutil.Process]:
    return {child for child in psutil.Process().children() if "ovms_core.workers.worker" in child.cmdline()}


class Served(NamedTuple):
    """The base URL, as clients of OpenAI want it, and the process that hosts the model."""

    url: str
    worker: psutil.Process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(minilm_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    pytest.importorskip("bpe_openai")
    options = {"token_inputs": "cl100k_base"}
    model = ModelSettings(name="minilm", source=str(minilm_path), device="CPU", options=options)
    app = app_with(hooks, models=[model], model_repository=str(tmp_path_factory.mktemp("served")))
    others = _workers()
    async with serving(app) as url:
        (worker,) = _workers() - others
        yield Served(f"{url}/v1", worker)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, timeout=120) as client:
        yield client


async def ask(http: httpx.AsyncClient, texts: list[str], **fields: Any) -> Vectors:
    answer = await http.post("/embeddings", json={"model": "minilm", "input": texts, **fields})
    assert answer.status_code == 200, answer.text
    return np.array([item["embedding"] for item in answer.json()["data"]], np.float32)


@pytest.fixture(scope="module")
def tiktoken_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where tiktoken, which LangChain's defaults use, finds the vocabulary that it would download."""
    folder = tmp_path_factory.mktemp("tiktoken")
    packed = Path(str(distribution("bpe-openai").locate_file("bpe_openai/data/cl100k_base.tiktoken.gz")))
    name = hashlib.sha1(VOCABULARY.encode(), usedforsecurity=False).hexdigest()
    (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


@pytest.mark.parametrize("fields", [{}, {"dimensions": 64}])
@pytest.mark.parametrize("client", CLIENTS, ids=["langchain-openai", "langchain-openai-ids", "llama-index"])
async def test_other_libraries_get_the_servers_vectors(
    http: httpx.AsyncClient, served: Served, client: Client, fields: dict[str, Any], tiktoken_cache: Path
) -> None:
    if not _is_installed(client.module):
        pytest.skip(f"{client.package} is not installed{client.why_not}")
    arguments = [served.url, json.dumps(TEXTS), json.dumps(fields)]
    # In a process of its own: these libraries patch what they find, and bring warnings and threads along.
    environment = os.environ | {"TIKTOKEN_CACHE_DIR": str(tiktoken_cache)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", client.script, *arguments, stdout=PIPE, env=environment
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    expected = await ask(http, [*TEXTS, TEXTS[0]], **fields)
    got = np.array(json.loads(output))
    assert got.shape == expected.shape
    assert cosines(got, expected).min() >= client.agreement


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of its parent
        return False


async def test_kill_9_of_the_worker_under_load_loses_no_request(http: httpx.AsyncClient, served: Served) -> None:
    requests = [[f"{text} {number}.{line}" for line in range(8) for text in TEXTS] for number in range(REQUESTS)]
    undisturbed = await asyncio.gather(*(ask(http, request) for request in requests))
    asked = [asyncio.create_task(ask(http, request)) for request in requests]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert not all(task.done() for task in asked)
    served.worker.kill()
    answers = await asyncio.gather(*asked)
    assert all(cosines(*pair).min() >= 1 - 1e-4 for pair in zip(answers, undisturbed, strict=True))
    assert served.worker not in _workers()
