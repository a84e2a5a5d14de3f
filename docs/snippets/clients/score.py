"""Scores of pairs of texts, with httpx."""

import httpx

answer = httpx.post(
    "http://127.0.0.1:8000/v3/score",
    json={
        "model": "tiny-reranker",
        "text_1": "What is the capital of France?",
        "text_2": ["Berlin is in Germany.", "Paris is the capital of France."],
    },
)
for item in answer.raise_for_status().json()["data"]:
    print(item["index"], item["score"])
