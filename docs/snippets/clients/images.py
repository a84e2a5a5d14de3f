"""A picture from a text with the openai client."""

import base64
from pathlib import Path

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

answer = client.images.generate(
    model="shapes",
    prompt="a red circle on a blue background",
    size="128x128",
    extra_body={"seed": 7, "num_inference_steps": 10},
)
Path("circle.png").write_bytes(base64.b64decode(answer.data[0].b64_json))
print(answer.size, "seed", answer.data[0].seed)
