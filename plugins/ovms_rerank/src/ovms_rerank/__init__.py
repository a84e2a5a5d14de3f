"""Reranking and scoring for ovms-core, on OpenVINO."""

__version__ = "0.1.0"
