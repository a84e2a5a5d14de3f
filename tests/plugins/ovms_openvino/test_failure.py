"""What OpenVINO says when it fails, in words for users."""

from __future__ import annotations

import pytest

from ovms_openvino.failure import reason


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "Exception from src/inference/src/cpp/core.cpp:126:\nException from src/inference/src/dev/plugin.cpp:58:\n"
            "Check 'false' failed at src/plugins/intel_cpu/src/config.cpp:12:\nWrong value for property key X.\n\n",
            "Wrong value for property key X",
        ),
        (
            "Check '!m_pimpl->m_vocab.empty()' failed at /home/jenkins/agent/workspace/a/b/tokenizer.cpp:42:\n",
            "a check of OpenVINO's failed (!m_pimpl->m_vocab.empty())",
        ),
        ("Check 'a' failed at /home/x/a.cpp:1: Vocabulary is empty", "Vocabulary is empty"),
        ("Cannot open at /home/jenkins/src/core.cpp:12: no such file", "Cannot open no such file"),
        ("[json.exception.type_error.302] type must be string", "[json.exception.type_error.302] type must be string"),
        ("", "RuntimeError"),
    ],
)
def test_the_reason_has_no_path_of_the_machine_it_was_built_on(message: str, expected: str) -> None:
    assert reason(RuntimeError(message)) == expected
