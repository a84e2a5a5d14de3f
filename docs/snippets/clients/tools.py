"""A function that the model calls, and its result."""

import json

from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")

tools = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
                "required": ["city", "unit"],
            },
        },
    }
]
messages = [{"role": "user", "content": "How warm is it in Paris?"}]

answer = client.chat.completions.create(
    model="smollm2", messages=messages, tools=tools, tool_choice="required", parallel_tool_calls=False, max_tokens=128
)
call = answer.choices[0].message.tool_calls[0]
arguments = json.loads(call.function.arguments)
print(call.function.name, arguments)

messages.append(answer.choices[0].message)
messages.append({"role": "tool", "tool_call_id": call.id, "content": f"It is 21 degrees in {arguments['city']}."})
answer = client.chat.completions.create(
    model="smollm2", messages=messages, tools=tools, tool_choice="none", max_tokens=64
)
print(answer.choices[0].message.content)
