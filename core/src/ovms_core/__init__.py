"""The core of a generative-AI server on OpenVINO, made of plugins."""

__version__ = "0.1.0"
