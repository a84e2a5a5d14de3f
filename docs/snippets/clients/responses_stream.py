"""The Responses API as a stream of events."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

with client.responses.stream(model="smollm2", input="Tell me a story about the sea.", max_output_tokens=64) as stream:
    for event in stream:
        if event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
        elif event.type in ("response.completed", "response.incomplete"):
            print(f"\n{event.response.usage.output_tokens} tokens, {event.response.status}")
