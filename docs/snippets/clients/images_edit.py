"""A picture from a picture with the openai client."""

import base64
from pathlib import Path

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

with Path("circle.png").open("rb") as picture:
    answer = client.images.edit(
        model="shapes",
        image=picture,
        prompt="a green circle on a blue background",
        extra_body={"strength": 0.8, "num_inference_steps": 10},
    )
Path("green.png").write_bytes(base64.b64decode(answer.data[0].b64_json))
