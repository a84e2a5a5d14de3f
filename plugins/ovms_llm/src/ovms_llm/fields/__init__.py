"""The fields of requests that several endpoints share. Runs in the server."""
