"""The endpoint: what clients write, and what they get. Runs in the server."""
