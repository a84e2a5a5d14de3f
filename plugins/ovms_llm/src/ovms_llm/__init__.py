"""Chat and text completions for ovms-core, on OpenVINO GenAI."""

__version__ = "0.1.0"
