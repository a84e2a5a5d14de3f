"""An answer that is one of a few."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

answer = client.chat.completions.create(
    model="smollm2",
    messages=[{"role": "user", "content": "Is this review good or bad? 'I loved every minute of it.'"}],
    extra_body={"structured_outputs": {"choice": ["good", "bad"]}},
)
print(answer.choices[0].message.content)
