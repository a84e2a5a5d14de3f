"""What holds for a plugin as a package: it is light to import, and described."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import msgspec
import pytest

from ovms_core.plugin_loading.loader import name_of
from ovms_core.testing.contract.subject import Contract, Subject
from ovms_core.testing.imports import ENGINES, HEAVY, imported_with


class PackageTests(Contract):
    """The plugin costs nothing until it is used, and what it adds can be read in the API's description."""

    async def test_hooks_import_nothing_heavy(self) -> None:
        loaded = await asyncio.to_thread(imported_with, self._module())
        assert not loaded & HEAVY, f"importing {self._module()} imports {', '.join(sorted(loaded & HEAVY))}"

    async def test_the_server_process_imports_no_engine(self) -> None:
        loaded = await asyncio.to_thread(imported_with, self._module(), registered=True, section=self._section())
        assert not loaded & ENGINES, f"{self._module()} brings {', '.join(sorted(loaded & ENGINES))} into the server"

    async def test_the_openapi_entry_is_valid(self, subject: Subject) -> None:
        document = (await subject.client.get("/openapi.json")).json()
        operation = document["paths"][subject.endpoint.path][subject.endpoint.method.lower()]
        assert operation["summary"] != subject.endpoint.path, "the endpoint's class has no docstring"
        for reference in _references(operation):
            assert _resolve(document, reference) is not None, f"{reference} is nowhere in /openapi.json"
        if "requestBody" in operation:
            for content in operation["requestBody"]["content"].values():
                self._check_schema(document, content["schema"], subject)
        if subject.endpoint.streams:
            kind = subject.endpoint.stream_media_type.partition(";")[0]
            assert kind in operation["responses"]["200"]["content"]

    async def test_an_answer_is_what_its_documentation_says(self, subject: Subject) -> None:
        described = subject.endpoint.response
        if described is None:
            pytest.skip("the endpoint does not say what its answers are (response)")
        answer = await self.ask(subject)
        assert answer.status_code == 200, answer.text
        try:
            msgspec.json.decode(answer.content, type=described)
        except msgspec.ValidationError as error:
            pytest.fail(f"{type(subject.endpoint).__name__}.response does not fit the answer: {error}")

    def _check_schema(self, document: Any, schema: Any, subject: Subject) -> None:
        body = _resolve(document, schema["$ref"]) if "$ref" in schema else schema
        known = set(body["properties"]) | subject.endpoint.body.ignored
        assert set(self.valid_body) <= known, f"not described: {set(self.valid_body) - known}"
        assert not subject.endpoint.streams or "stream" in known, "the endpoint streams; its body has no 'stream'"

    def _section(self) -> Any:
        return self.settings.get("plugins", {}).get(name_of(self.plugin))

    def _module(self) -> str:
        if not isinstance(self.plugin, ModuleType):
            pytest.skip("the plugin is an object, not a module that an entry point could name")
        return self.plugin.__name__


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _resolve(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document.get(part) if isinstance(document, dict) else None
    return document
