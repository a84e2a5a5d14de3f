"""The application as a whole: models over HTTP, what leaks, what is imported."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.support import Client, counted, error_of, post, probe, raw, supervisor_of, words

from ovms_core.app import Application
from ovms_core.settings import ModelSettings
from ovms_core.testing import app_with, scripted_model, scripted_plugin, serving

shared = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def app() -> Application:
    broken = scripted_model("broken", required=False, load_error="/srv/weights/x.bin is bad")
    return app_with(scripted_plugin, models=[scripted_model(aliases=["nick"]), broken])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(app: Application) -> AsyncIterator[str]:
    async with serving(app) as url:
        yield url


@shared
async def test_a_model_answers_in_both_modes_under_all_its_names(url: str) -> None:
    async with Client(url) as client:
        for name in ("scripted", "nick"):
            assert (await client.say("/v3/script", model=name, count=2)).json() == {"text": "w0 w1 "}
            assert words(await client.say("/v3/script", model=name, count=9, stream=True)) == counted(9)


@shared
async def test_models_are_listed_with_their_state_and_the_reason_of_a_failure(url: str) -> None:
    async with Client(url) as client:
        listed = {model["id"]: model for model in (await client.get("/v3/models")).json()["data"]}
        assert (listed["scripted"]["state"], listed["nick"]["alias_of"]) == ("ready", "scripted")
        assert (listed["broken"]["state"], listed["broken"]["error"]) == ("failed", "…/x.bin is bad")
        assert (await client.get("/v1/models/nick")).json() == listed["nick"]


@shared
async def test_a_failed_model_answers_503_with_its_reason_and_no_path(url: str) -> None:
    async with Client(url) as client:
        answer = await client.say("/v1/script", model="broken")
        assert answer.status_code == 503
        assert error_of(answer)["message"] == "Model 'broken' failed: …/x.bin is bad"
        assert "retry-after" in answer.headers


@shared
async def test_metrics_tell_of_requests_and_models(url: str) -> None:
    async with Client(url) as client:
        await client.say("/v1/script", model="scripted")
        text = (await client.get("/metrics")).text
        assert 'ovms_model_ready{model="scripted"} 1.0' in text
        assert 'ovms_model_ready{model="broken"} 0.0' in text
        assert 'ovms_request_seconds_count{endpoint="/script",model="scripted",status="200"}' in text


@shared
async def test_head_and_version_and_documentation_are_there(url: str) -> None:
    async with Client(url) as client:
        assert (await client.head("/health")).status_code == 200
        assert (await client.get("/version")).json()["plugins"].keys() == {"core", "scripted"}
        assert (await client.get("/openapi.json")).status_code == 200
        assert (await client.get("/docs")).status_code == 200


@shared
@pytest.mark.parametrize(
    ("path", "prefix"), [("/", "/v3"), ("/v1", "/v1"), ("/v3/", "/v3"), ("/v3//v1", "/v3/v1"), ("/v3/v1//", "/v3/v1")]
)
async def test_the_top_and_every_bare_prefix_say_what_is_here(url: str, path: str, prefix: str) -> None:
    async with Client(url) as client:
        index = (await client.get(path, headers={"accept": "*/*"})).json()
        assert index["name"] == "OpenVINO generative AI server"
        assert index["endpoints"] == [f"POST {prefix}/script"]
        assert index["models"] == f"{prefix}/models"
        links = [link for link in index.values() if isinstance(link, str) and link.startswith("/")]
        assert len(links) == 6  # the page, the document, models, metrics and both kinds of health
        for link in links:
            assert (await client.get(link)).status_code == 200, link
        head = await client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.post(path)).headers["allow"] == "GET, HEAD"


@shared
async def test_a_browser_at_the_top_is_shown_the_documentation(url: str) -> None:
    accept = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with Client(url, follow_redirects=True, headers=accept) as client:
        page = await client.get("/")
        assert page.url.path == "/docs"
        assert "<h1>OpenVINO generative AI server" in page.text
        assert (await client.get("/v1")).headers["content-type"] == "application/json"


@shared
async def test_doubled_slashes_and_ids_with_slashes_find_their_way(url: str) -> None:
    request = post("//v1//script/", b'{"model": "scripted", "count": 1}', "connection: close")
    assert (await raw(url, request)).endswith(b'{"text":"w0 "}')
    async with Client(url) as client:
        assert (await client.get("/v1//models//nick")).json()["id"] == "nick"
        for name in ("http://host/x", "org/name", "a//b"):
            for spelt in (name, quote(name, safe="")):
                error = error_of(await client.get(f"/v1/models/{spelt}"))
                assert error["code"] == "model_not_found"
                assert f"'{name}'" in error["message"]


@shared
async def test_a_request_leaves_no_task_behind(url: str) -> None:
    async with Client(url) as client:
        await client.say("/v1/script", model="scripted", count=20, seconds=0.01, stream=True)
        before = asyncio.all_tasks()
        for stream in (True, False) * 5:
            await client.say("/v1/script", model="scripted", count=20, seconds=0.005, stream=stream)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= len(before)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SMALL = st.integers(-3, 4) | st.sampled_from([2**31, 2**63, 2**64, -(2**70), 10**400, 1.0, 1e300])
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["scripted", "nick", "broken?", "", None, 1]),
        "count": st.integers(-3, 4) | JSON,
        "fail_at": SMALL | JSON,
        "raise_at": st.just(None) | st.integers(min_value=2**64) | st.text(max_size=2),
        "text": JSON,
        "metadata": JSON,
        "stream": st.booleans() | JSON,
        "resumable": JSON,
        "unknown": JSON,
    },
)


@shared
async def test_no_body_whatever_makes_the_server_fail(app: Application, url: str) -> None:
    loop = asyncio.get_running_loop()

    client = Client(url)

    async def send(content: bytes) -> None:
        answer = await client.post("/v1/script", content=content, headers={"content-type": "application/json"})
        assert answer.status_code < 500, (content, answer.text)
        if answer.status_code != 200:
            assert error_of(answer)["message"]
        assert "server_error" not in answer.text, (content, answer.text)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(content=st.binary(max_size=60) | BODIES.map(lambda body: json.dumps({"model": "scripted", **body}).encode()))
    def fuzz(content: bytes) -> None:
        asyncio.run_coroutine_threadsafe(send(content), loop).result(20)

    await asyncio.to_thread(fuzz)
    await client.aclose()
    assert supervisor_of(app).restarts == 0
    assert (await probe(app)).in_flight == 0


async def test_readiness_waits_for_required_models_and_names_the_others() -> None:
    models = [scripted_model(), scripted_model("lost", load_error="gone from /srv/models/lost")]
    async with serving(app_with(scripted_plugin, models=models)) as url, Client(url) as client:
        answer = await client.get("/v2/health/ready")
        assert answer.status_code == 503
        assert error_of(answer)["message"] == "Not ready: lost (failed: gone from …/lost)."


async def test_a_model_that_still_loads_is_503_and_the_server_listens_at_once() -> None:
    app = app_with(scripted_plugin, models=[scripted_model(load_seconds=0.5)])
    async with serving(app, settled=False) as url, Client(url) as client:
        answer = await client.say("/v1/script")
        assert answer.status_code == 503
        assert error_of(answer)["code"] == "model_loading"
        assert "retry-after" in answer.headers
        await app.server.lifecycle.settled()
        assert (await client.say("/v1/script", count=1)).json() == {"text": "w0 "}


async def test_a_folder_that_is_not_there_fails_its_model_without_telling_clients_where(tmp_path: Path) -> None:
    model = ModelSettings(name="m", source=str(tmp_path / "no" / "such"))
    async with serving(app_with(scripted_plugin, models=[model])) as url, Client(url) as client:
        for answer in (await client.get("/v3/models/m"), await client.get("/v2/health/ready")):
            assert "such" in answer.text
            assert str(tmp_path) not in answer.text


async def test_an_engines_own_words_do_not_tell_clients_where_things_are() -> None:
    app = app_with(scripted_plugin, models=[scripted_model()])
    async with serving(app) as url, Client(url) as client:
        answer = await client.say("/v1/script", raise_at=0)
        assert answer.status_code == 500
        assert "/" not in error_of(answer)["message"]


def test_the_server_process_imports_no_engine_library() -> None:
    code = """
import sys
import ovms_core.app
from ovms_core.settings import Settings
ovms_core.app.create_app(Settings())
heavy = {"openvino", "openvino_genai", "openvino_tokenizers", "transformers", "numpy", "torch", "tokenizers", "PIL"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_making_an_application_needs_no_running_loop_and_shares_nothing() -> None:
    one, two = app_with(scripted_plugin), app_with(scripted_plugin)
    assert one.server.models is not two.server.models
    assert one.server.metrics is not two.server.metrics
