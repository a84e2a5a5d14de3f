"""What the engine finds out about how its model speaks, and tells the server."""

from __future__ import annotations

from msgspec import Struct

from ovms_llm.messages import Thinking


class SpeechProfile(Struct, frozen=True):
    """How a model speaks; in ``EngineInfo.details["speech"]``.

    `format` names a speech format and `reason` says why this one. `knows_tools` and `knows_effort` say what the model's
    chat template makes use of: tools, and a wish for more or less reasoning; `knows_system` that it takes a system's
    message. `thinking` is `None` for a model that
    does not think aloud.
    """

    format: str
    reason: str
    knows_tools: bool = False
    knows_effort: bool = False
    thinking: Thinking | None = None
    knows_system: bool = True
