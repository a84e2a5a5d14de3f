"""Checks of a finished grammar: whether it is one, and what it costs the engine."""
