"""From a request's fields to what the engine is asked for, and from its text to typed events. Runs in the server."""
