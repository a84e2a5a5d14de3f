"""The user's token for the hub, where there is one and it can be read."""

from __future__ import annotations

import logging
from typing import Literal

from huggingface_hub import get_token

log = logging.getLogger("ovms.sources")


def known_token() -> str | None:
    """The token; `None` also when its file cannot be read: in a container the home folder may be another user's."""
    try:
        token: str | None = get_token()
    except OSError as error:
        log.info("no Hugging Face token is used: %s", error)
        return None
    return token


def sent_token() -> Literal[False] | None:
    """What to tell huggingface_hub: to send no token if there is none that can be read, else to decide itself."""
    return None if known_token() else False
