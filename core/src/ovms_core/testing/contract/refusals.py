"""What an endpoint refuses, and how."""

from __future__ import annotations

from typing import Any

import pytest

from ovms_core.testing.contract.subject import Contract, Subject, block, error_of

_UNKNOWN = "contract_unknown"
_OF_MANY_TYPES = ({_UNKNOWN: [1.5]}, [[[1.5]]], 1.5, True, "contract")
_ALLOWS_ANYTHING = {"title", "description", "default", "examples"}


class RefusalTests(Contract):
    """An error is the client's to understand: it has one shape, and names the field at fault."""

    async def test_errors_of_the_route_have_the_one_shape(self, subject: Subject) -> None:
        missing = await subject.client.post(f"{subject.url}/contract/nowhere")
        assert (missing.status_code, error_of(missing)["code"]) == (404, "unknown_route")
        wrong = await subject.client.request("PATCH", subject.url)
        assert (wrong.status_code, error_of(wrong)["code"]) == (405, "method_not_allowed")
        assert subject.endpoint.method in wrong.headers["allow"]

    async def test_a_media_type_that_is_not_taken_is_a_415(self, subject: Subject) -> None:
        subject.require_json_body()
        answer = await subject.post(content=b"<valid/>", headers={"content-type": "text/xml"})
        assert answer.status_code == 415, answer.text
        error_of(answer)

    async def test_a_body_that_is_not_json_is_a_400(self, subject: Subject) -> None:
        subject.require_json_body()
        for content in (b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"model": NaN}'):
            answer = await subject.post(content=content, headers={"content-type": "application/json"})
            assert answer.status_code == 400, (content, answer.text)
            error_of(answer)

    async def test_a_value_of_the_wrong_type_is_a_400_that_names_it(self, subject: Subject) -> None:
        subject.require_json_body()
        schema = subject.endpoint.body.model_json_schema()["properties"]
        with subject.intercepted(block):
            for field in {"model", *self.valid_body}:
                refused = [await self._refusal(subject, field, value) for value in _OF_MANY_TYPES]
                takes_anything = set(schema.get(field, {})) <= _ALLOWS_ANYTHING
                assert takes_anything or any(refused), f"'{field}' takes a value of any type: declare its type"

    async def _refusal(self, subject: Subject, field: str, value: Any) -> bool:
        """Whether a value is refused; if so, as it should be."""
        answer = await self.ask(subject, **{field: value})
        error = error_of(answer)
        if answer.status_code == 403:
            return False
        assert answer.status_code in (400, 404, 422), (field, value, answer.text)
        assert error["param"], f"the error for {field}={value!r} has no param: {error}"
        return True

    async def test_a_missing_field_is_a_400_that_names_it(self, subject: Subject) -> None:
        subject.require_json_body()
        fields = subject.endpoint.body.model_fields.items()
        required = [field.alias or name for name, field in fields if field.is_required()]
        if not required:
            pytest.skip("no field is required")
        for name in required:
            body = {field: value for field, value in self.valid_body.items() if field != name}
            answer = await subject.post(**self.payload(body))
            assert (answer.status_code, error_of(answer)["param"]) == (400, name), answer.text

    async def test_an_unknown_field_is_named_as_ignored_or_refused_on_demand(self, subject: Subject) -> None:
        subject.require_json_body()
        payload = self.payload({**self.valid_body, _UNKNOWN: 1})
        answer = await subject.post(**payload)
        assert answer.status_code == 200, answer.text
        assert _UNKNOWN in answer.headers.get("x-ignored-params", ""), f"{_UNKNOWN} is silently ignored"
        strict = await subject.post(**{**payload, "headers": {**payload.get("headers", {}), "x-strict": "1"}})
        assert (strict.status_code, error_of(strict)["param"]) == (400, _UNKNOWN), strict.text

    async def test_an_unknown_model_is_a_404(self, subject: Subject) -> None:
        subject.require_engine()
        answer = await self.ask(subject, model="contract/no-such-model")
        assert (answer.status_code, error_of(answer)["code"]) == (404, "model_not_found"), answer.text

    async def test_a_body_over_the_limit_is_a_413(self, subject: Subject) -> None:
        subject.require_json_body()
        limit = subject.app.server.settings.max_body_size
        answer = await subject.post(content=b" " * (limit + 1), headers={"content-type": "application/json"})
        assert answer.status_code == 413, answer.text
        error_of(answer)

    async def test_the_api_key_is_asked_for(self, subject: Subject) -> None:
        if subject.endpoint.public:
            pytest.skip("the endpoint is public")
        for key in ("", "Bearer ", "Bearer wrong"):
            body = self.payload(self.valid_body)
            answer = await subject.post(**{**body, "headers": {**body.get("headers", {}), "authorization": key}})
            assert answer.status_code == 401, answer.text
            assert error_of(answer)["type"] == "authentication_error"
