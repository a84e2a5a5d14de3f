"""Chat on another server for ovms-core: always, or when this one is busy."""
