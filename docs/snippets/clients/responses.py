"""The Responses API: an answer, and one that goes on from it."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

first = client.responses.create(
    model="smollm2", instructions="You answer in one sentence.", input="What is OpenVINO?", max_output_tokens=64
)
print(first.output_text)

second = client.responses.create(
    model="smollm2", input="Who makes it?", previous_response_id=first.id, max_output_tokens=64
)
print(second.output_text)
