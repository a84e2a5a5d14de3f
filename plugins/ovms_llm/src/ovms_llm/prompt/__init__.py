"""From what a client sent to token ids: chat templates, the vocabulary, endings. Runs in the worker process only."""
