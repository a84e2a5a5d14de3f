"""The served models with the openai client."""

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

for model in client.models.list():
    print(model.id, model.task, model.state, model.device)
