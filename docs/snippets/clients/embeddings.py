"""Embeddings with the openai client."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

answer = client.embeddings.create(model="minilm", input=["A cat sleeps.", "A kitten is napping.", "Taxes are due."])
cat, kitten, taxes = (item.embedding for item in answer.data)


def similarity(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


print(similarity(cat, kitten), similarity(cat, taxes))
