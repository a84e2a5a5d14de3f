"""Both endpoints keep the server's promises."""

from __future__ import annotations

from types import SimpleNamespace

from ovms_core.plugin import Task, TaskOptions, hookimpl
from ovms_core.testing import EndpointContract, model_without_files
from ovms_llm.messages import AnyEvent, AnyRequest
from ovms_messages import hooks
from ovms_messages.endpoints import CountTokens, Messages

CONVERSATION = {"messages": [{"role": "user", "content": "one two three four"}]}


@hookimpl
def tasks() -> list[Task]:
    return [
        Task("text_generation", "tests.parrot:Parrot", TaskOptions, AnyRequest, AnyEvent, detect=lambda files: 0),
    ]


PARROT = SimpleNamespace(__name__="parrot", ovms_register_tasks=tasks)


class TestMessagesContract(EndpointContract):
    plugin = hooks
    needs = (PARROT,)
    endpoint = Messages
    models = (model_without_files("text_generation"),)
    valid_body = {**CONVERSATION, "max_tokens": 9}
    ends_with = "message_stop"


class TestCountTokensContract(EndpointContract):
    plugin = hooks
    needs = (PARROT,)
    endpoint = CountTokens
    models = (model_without_files("text_generation"),)
    valid_body = CONVERSATION
