from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import ovms_sources


def test_the_plugin_registers_the_hub_and_the_package_index_through_its_entry_point() -> None:
    (entry,) = entry_points(group="ovms", name="sources")
    sources = entry.load().ovms_register_sources()
    assert [source.scheme for source in sources] == ["hf", "pypi"]
    assert [list(source.offers()) for source in sources] == [[], []]


def test_what_it_promises_are_its_sources() -> None:
    assert ovms_sources.__all__ == ["HubSource", "PypiSource"]


def test_the_libraries_of_the_hub_are_imported_for_a_fetch_only() -> None:
    program = "import ovms_sources, sys; sys.exit('huggingface_hub' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
