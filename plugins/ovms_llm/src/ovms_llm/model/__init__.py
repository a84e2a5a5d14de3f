"""A model's files, and loading them. Runs in the worker process only."""
