"""Chat completions with the openai client."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

answer = client.chat.completions.create(
    model="smollm2",
    messages=[
        {"role": "system", "content": "You answer in one sentence."},
        {"role": "user", "content": "What is OpenVINO?"},
    ],
    max_tokens=64,
    temperature=0.2,
)
print(answer.choices[0].message.content)
print(answer.usage.completion_tokens, "tokens,", answer.choices[0].finish_reason)
