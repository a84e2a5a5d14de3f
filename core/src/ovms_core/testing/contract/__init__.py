"""`EndpointContract`: the tests that every endpoint must pass, for an author to inherit."""

from __future__ import annotations

from typing import Any, Final

import pytest

from ovms_core.testing.contract.engines import EngineTests
from ovms_core.testing.contract.execution import ExecutionTests
from ovms_core.testing.contract.packages import PackageTests
from ovms_core.testing.contract.refusals import RefusalTests
from ovms_core.testing.contract.streams import StreamTests
from ovms_core.testing.contract.subject import Subject
from ovms_core.testing.contract.windows import WindowTests

__all__ = ["EndpointContract", "Subject"]


@pytest.mark.ovms_contract
@pytest.mark.asyncio(loop_scope="class")
class EndpointContract(RefusalTests, ExecutionTests, StreamTests, WindowTests, EngineTests, PackageTests):
    """Subclass it with `plugin` and `valid_body`, and `models` when the endpoint has a task.

    One server runs for the whole class, with a real worker process for each of `models`. Tests that do not
    apply (streaming, of an endpoint that does not stream) are skipped with their reason. A test can be
    overridden only with ``@pytest.mark.xfail(reason=...)``: what does not hold is said, not hidden.

    Example::

        class TestWordCount(EndpointContract):
            plugin = hooks
            models = [model_without_files("word_count")]
            valid_body = {"texts": ["one two three"]}
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        require_complete(cls)

    async def test_no_test_was_left_out(self) -> None:
        """No test of the contract is missing, and none was replaced."""
        require_complete(type(self))


_TESTS: Final = {name: getattr(EndpointContract, name) for name in dir(EndpointContract) if name[:5] == "test_"}


def require_complete(cls: type[EndpointContract]) -> None:
    """Raise `TypeError` when `cls` lacks or replaces a test without ``xfail(reason=...)``."""
    for name, original in _TESTS.items():
        test = getattr(cls, name, None)
        if test is not original and not _is_expected_to_fail(test):
            raise TypeError(
                f"{cls.__name__}.{name} replaces a test of EndpointContract: leave it as it is, or mark it with "
                "@pytest.mark.xfail(reason='why the endpoint cannot pass it')."
            )


def _is_expected_to_fail(test: object) -> bool:
    marks = getattr(test, "pytestmark", [])
    return callable(test) and any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
