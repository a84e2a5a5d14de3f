"""Text completions with the openai client."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

answer = client.completions.create(
    model="smollm2",
    prompt=["The capital of France is", "One, two,"],
    max_tokens=8,
    temperature=0,
    stop="\n",
)
for choice in answer.choices:
    print(choice.index, choice.text)
