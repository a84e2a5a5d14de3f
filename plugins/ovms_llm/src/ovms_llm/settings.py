"""What the operator can set of this plugin: ``plugins.llm``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ResponsesSettings(BaseModel):
    """Where responses are stored, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(default=None, min_length=1, description="A SQLite file; in memory when not set.")
    max_responses: int = Field(default=10_000, ge=1, description="Stored responses; the oldest makes room.")
    max_bytes: int = Field(default=256 << 20, ge=1 << 16, description="Bytes that the stored responses may have.")
    ttl: float = Field(default=30 * 86400, gt=0, allow_inf_nan=False, description="Seconds that a response is kept.")
    max_background: int = Field(default=64, ge=1, description="Background responses at a time; the next gets a 429.")


class LlmSettings(BaseModel):
    """The plugin's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    responses: ResponsesSettings = ResponsesSettings()
