"""Fields that the openai client does not know go into `extra_body`."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

answer = client.chat.completions.create(
    model="smollm2",
    messages=[{"role": "user", "content": "Name three colours."}],
    max_tokens=32,
    extra_body={"top_k": 20, "min_p": 0.05, "repetition_penalty": 1.1, "timings": True},
)
print(answer.timings["tokens_per_second"], "tokens a second")
