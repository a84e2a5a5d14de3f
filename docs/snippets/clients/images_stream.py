"""Previews of a picture while it forms, with the openai client."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

stream = client.images.generate(
    model="shapes",
    prompt="a yellow square on a black background",
    stream=True,
    partial_images=2,
)
for event in stream:
    print(event.type, len(event.b64_json), "characters of base64")
