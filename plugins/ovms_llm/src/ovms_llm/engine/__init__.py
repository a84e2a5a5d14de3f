"""The engine: one continuous batch for all requests of a model. Runs in the worker process only."""
