"""What a client sees of an error, and which errors are worth another try."""

from openai import BadRequestError, OpenAI, RateLimitError

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none", max_retries=5)

try:
    client.completions.create(model="smollm2", prompt="Once", max_tokens=4, temperature=9)
except BadRequestError as error:
    print(error.code, error.param, error.message)
except RateLimitError as error:
    print("still busy after five tries:", error.response.headers["retry-after"], "seconds")
