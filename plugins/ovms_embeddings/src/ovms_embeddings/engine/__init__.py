"""What runs in the worker: the model's files and how it wants to be used, what it reads, the engine."""
