"""What an operator says about the guard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FilePath, StringConstraints, model_validator

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class GuardrailSettings(BaseModel):
    """The section ``plugins.guardrail`` of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: list[Word] = Field(default=[], description="The forbidden words.")
    file: FilePath | None = Field(default=None, description="A file with more of them, one a line.")

    @model_validator(mode="after")
    def _some_word(self) -> GuardrailSettings:
        if not self.forbidden():
            raise ValueError("there is nothing to guard against: set words or file")
        return self

    def forbidden(self) -> list[str]:
        """The words of the configuration and of the file."""
        lines = Path(self.file).read_text(encoding="utf-8").splitlines() if self.file else []
        return [*self.words, *(line.strip() for line in lines if line.strip())]
