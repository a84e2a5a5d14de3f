"""Rerank with the cohere client."""

import cohere

client = cohere.ClientV2(api_key="none", base_url="http://127.0.0.1:8000")

documents = ["Berlin is in Germany.", "Paris is the capital of France.", "The Seine is a river."]
answer = client.rerank(model="tiny-reranker", query="What is the capital of France?", documents=documents, top_n=2)
for result in answer.results:
    print(f"{result.relevance_score:.3f} {documents[result.index]}")
