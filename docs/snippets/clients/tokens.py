"""Token ids of a text and back, with httpx."""

import httpx

server = httpx.Client(base_url="http://127.0.0.1:8000/v3")

found = server.post("/tokenize", json={"model": "smollm2", "prompt": "Hello, world!"}).raise_for_status().json()
print(found["count"], found["tokens"])

back = server.post("/detokenize", json={"model": "smollm2", "tokens": found["tokens"]}).raise_for_status().json()
print(back["text"])
