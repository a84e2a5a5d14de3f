"""What the operator can set of this plugin: ``plugins.llm``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ResponsesSettings(BaseModel):
    """Where responses are stored, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(
        default=None, min_length=1, description="A SQLite file; by default responses are kept in memory."
    )
    max_responses: int = Field(
        default=10_000, ge=1, description="The maximum number of stored responses; the oldest are deleted."
    )
    max_bytes: int = Field(
        default=256 << 20, ge=1 << 16, description="The maximum size of all stored responses, in bytes."
    )
    ttl: float = Field(
        default=30 * 86400, gt=0, allow_inf_nan=False, description="How many seconds a response is kept."
    )
    max_background: int = Field(
        default=64, ge=1, description="The maximum number of background responses; others get a 429."
    )


class LlmSettings(BaseModel):
    """The plugin's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    responses: ResponsesSettings = ResponsesSettings()
