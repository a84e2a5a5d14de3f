"""The pytest plugin of ``ovms-core[testing]``. pytest imports it at every start, so it imports nothing by itself."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("ovms_core.testing.contract")


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker and, where pytest-asyncio is installed, the fixtures of `EndpointContract`."""
    config.addinivalue_line("markers", "ovms_contract: the tests that every ovms endpoint must pass")
    if config.pluginmanager.has_plugin("asyncio"):
        from ovms_core.testing import fixtures

        config.pluginmanager.register(fixtures, "ovms-fixtures")
