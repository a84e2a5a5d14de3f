"""What runs in the worker: the model's folder in the form that GenAI takes, its pipelines, the engine."""
