from __future__ import annotations

from ovms_core.errors import APIError


def test_a_copy_about_another_field_leaves_the_error_as_it_is() -> None:
    error = APIError(429, "busy", param="prompt", code="queue_full", retry_after=3, headers={"x-a": "b"})
    copy = error.at("prompt[1]")
    assert copy.__dict__ == {**error.__dict__, "param": "prompt[1]"}
    assert error.param == "prompt"
