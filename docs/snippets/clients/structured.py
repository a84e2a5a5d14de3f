"""An answer of a pydantic model's form."""

from openai import OpenAI
from pydantic import BaseModel

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")


class Country(BaseModel):
    name: str
    capital: str
    population_in_millions: int


answer = client.chat.completions.parse(
    model="smollm2",
    messages=[{"role": "user", "content": "Tell me about France."}],
    response_format=Country,
    max_tokens=128,
    temperature=0,
)
print(answer.choices[0].message.parsed)
