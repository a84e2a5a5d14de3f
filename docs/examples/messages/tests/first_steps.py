import anthropic

client = anthropic.Anthropic(base_url="http://localhost:8000", api_key="none")
with client.messages.stream(
    model="smollm2", max_tokens=64, messages=[{"role": "user", "content": "What is the capital of France?"}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
