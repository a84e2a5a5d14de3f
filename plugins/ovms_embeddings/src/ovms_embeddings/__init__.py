"""Text embeddings, on OpenVINO."""

__version__ = "0.1.0"
