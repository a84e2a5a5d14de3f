"""Asks a server over HTTP and reads its streams, as any client would: nothing of the server is imported."""
