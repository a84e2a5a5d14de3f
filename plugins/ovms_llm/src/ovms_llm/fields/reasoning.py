"""The request fields that say how much the model thinks before it answers, and whether the client sees it.

OpenAI's ``reasoning_effort`` and what other servers call the same: OpenRouter's ``reasoning``
(https://openrouter.ai/docs/use-cases/reasoning-tokens), Anthropic's ``thinking``, Qwen's ``enable_thinking`` and
``thinking_budget``, vLLM's ``include_reasoning`` and ``thinking_token_budget``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from ovms_core.plugin import Int, Part, fault

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
NO_LIMIT: Final = -1

Budget = Annotated[Int, Field(ge=NO_LIMIT, le=2**31 - 1)]
"""The most tokens of a thought; -1 sets no limit."""


@dataclass(frozen=True, slots=True)
class ReasoningWish:
    """How much the model shall think: `effort`, at most `budget` tokens; and whether the client is to `include` it.

    `effort_fields` and `budget_fields` are the fields of the request that say so.
    """

    effort: Effort | None = None
    budget: int | None = None
    include: bool = True
    effort_fields: tuple[str, ...] = ()
    budget_fields: tuple[str, ...] = ()


NO_WISH: Final = ReasoningWish()


class ReasoningOptions(Part):
    """OpenRouter's object; `exclude` keeps the thought from the client."""

    effort: Effort | None = None
    max_tokens: Budget | None = None
    enabled: bool | None = None
    exclude: bool = False


class ThinkingOptions(Part):
    """Anthropic's object."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Budget | None = None


class ReasoningFields(Part):
    """The fields of a body for reasoning."""

    reasoning_effort: Effort | None = None
    reasoning: ReasoningOptions | None = None
    thinking: bool | ThinkingOptions | None = None
    enable_thinking: bool | None = None
    include_reasoning: bool = True
    thinking_budget: Budget | None = None
    thinking_token_budget: Budget | None = None
    max_thinking_tokens: Budget | None = None
    reasoning_budget: Budget | None = None

    @model_validator(mode="after")
    def _wishes_agree(self) -> ReasoningFields:
        if self.model_fields_set.isdisjoint(_FIELDS):
            return self
        efforts, switches = dict(self._efforts()), dict(self._switches())
        if len(set(efforts.values())) > 1:
            raise _disagreement(efforts)
        wanted = {name: effort != "none" for name, effort in efforts.items()} | switches
        if len(set(wanted.values())) > 1:
            raise _disagreement(wanted)
        budgets = dict(self._budgets())
        if len(set(budgets.values())) > 1:
            raise _disagreement(budgets)
        return self

    def _efforts(self) -> Iterator[tuple[str, Effort]]:
        if self.reasoning_effort is not None:
            yield "reasoning_effort", self.reasoning_effort
        if self.reasoning is not None and self.reasoning.effort is not None:
            yield "reasoning.effort", self.reasoning.effort

    def _switches(self) -> Iterator[tuple[str, bool]]:
        if self.reasoning is not None and self.reasoning.enabled is not None:
            yield "reasoning.enabled", self.reasoning.enabled
        if isinstance(self.thinking, ThinkingOptions):
            yield "thinking", self.thinking.type != "disabled"
        elif self.thinking is not None:
            yield "thinking", self.thinking
        if self.enable_thinking is not None:
            yield "enable_thinking", self.enable_thinking

    def _budgets(self) -> Iterator[tuple[str, int]]:
        for name in ("thinking_budget", "thinking_token_budget", "max_thinking_tokens", "reasoning_budget"):
            if (budget := getattr(self, name)) is not None:
                yield name, budget
        if self.reasoning is not None and self.reasoning.max_tokens is not None:
            yield "reasoning.max_tokens", self.reasoning.max_tokens
        if isinstance(self.thinking, ThinkingOptions) and self.thinking.budget_tokens is not None:
            yield "thinking.budget_tokens", self.thinking.budget_tokens

    @property
    def reasoning_wish(self) -> ReasoningWish:
        """What all the fields say together."""
        if self.model_fields_set.isdisjoint(_FIELDS):
            return NO_WISH
        efforts, switches, budgets = dict(self._efforts()), dict(self._switches()), dict(self._budgets())
        effort = next(iter(efforts.values()), None)
        if effort is None and switches:
            effort = "medium" if any(switches.values()) else "none"
        budget = next(iter(budgets.values()), NO_LIMIT)
        return ReasoningWish(
            effort=effort,
            budget=None if budget == NO_LIMIT else budget,
            include=self.include_reasoning and not (self.reasoning is not None and self.reasoning.exclude),
            effort_fields=(*efforts, *switches),
            budget_fields=tuple(budgets) if budget != NO_LIMIT else (),
        )


_FIELDS: Final = frozenset(ReasoningFields.model_fields)


def _disagreement(values: Mapping[str, object]) -> Exception:
    said = " and ".join(f"'{name}' ({value})" for name, value in values.items())
    return fault(f"{said} disagree: send one of them.", field=list(values)[-1])
