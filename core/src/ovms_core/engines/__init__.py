"""Engines: the base class, and adapters for the common kinds. Authors import them from `ovms_core.engine`."""
