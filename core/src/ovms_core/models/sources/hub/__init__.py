"""The Hugging Face Hub as a source: what to fetch of a repository, fetching it, and converting it."""

from ovms_core.models.sources.hub.source import HubName, HubSource

__all__ = ["HubName", "HubSource"]
