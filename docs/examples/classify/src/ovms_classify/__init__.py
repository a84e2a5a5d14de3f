"""Text classification for ovms-core, on OpenVINO."""
