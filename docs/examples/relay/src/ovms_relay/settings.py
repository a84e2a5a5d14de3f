"""What an operator says about the other server."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class RelaySettings(BaseModel):
    """The section ``plugins.relay`` of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(default=None, description="The other server's API, such as http://big:8000/v1.")
    api_key: SecretStr | None = Field(default=None, description="The key for the other server.")
    when: Literal["busy", "always"] = Field(default="busy", description="Relay when the model's queue is full, or all.")
    models: dict[str, str] | None = Field(
        default=None, description="The relayed models, and their names there; by default all, by their own names."
    )
    timeout: float = Field(
        default=300, gt=0, description="Seconds of silence from the other server before it is given up."
    )
