"""The tools of a request, as the Responses API has them: functions without a wrapper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ovms_core.plugin import Json, Part, fault
from ovms_llm.fields.strings import strings
from ovms_llm.fields.tools import MAX_TOOLS, FunctionFields, Word, check_names, refuse_other_tools, tool_use
from ovms_llm.speech.functions.tools import ToolUse


class FunctionTool(FunctionFields):
    """A function that the model may call."""

    type: Literal["function"]
    defer_loading: Json = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_function(cls, value: Any) -> Any:
        return refuse_other_tools(value)

    def resource(self) -> dict[str, Any]:
        """The function as the API shows it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "strict": self.strict is True,
        }


class NamedTool(Part):
    """A function that is declared elsewhere."""

    type: Literal["function"] = "function"
    name: str

    @model_validator(mode="before")
    @classmethod
    def _is_a_function(cls, value: Any) -> Any:
        return refuse_other_tools(value)


class ToolChoice(Part):
    """A choice of one function, or of some."""

    type: Literal["function", "allowed_tools"]
    name: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: Annotated[list[NamedTool], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_function(cls, value: Any) -> Any:
        return refuse_other_tools(value)

    @model_validator(mode="after")
    def _has_what_it_says(self) -> ToolChoice:
        for field in ("name",) if self.type == "function" else ("mode", "tools"):
            if getattr(self, field) is None:
                raise fault(f"A choice of type '{self.type}' needs the field '{field}'.", field=field)
        return self

    def names(self) -> Iterator[tuple[str, str]]:
        """Each name that it mentions, with the path where."""
        if self.name is not None and self.type == "function":
            yield "name", self.name
        else:
            yield from ((f"tools[{at}].name", tool.name) for at, tool in enumerate(self.tools or ()))

    @property
    def word(self) -> Word:
        """Whether the model must call one of them."""
        return "required" if self.type == "function" else self.mode or "auto"


class ToolFields(Part):
    """The fields of a body for tools."""

    tools: Annotated[list[FunctionTool], Field(max_length=MAX_TOOLS)] = Field(default_factory=list)
    tool_choice: Word | ToolChoice | None = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="after")
    def _tools_agree(self) -> ToolFields:
        check_names(self.tools, "tools[{}].name")
        choice = self.tool_choice
        if choice in (None, "none", "auto"):
            return self
        if not self.tools:
            raise fault("'tool_choice' needs 'tools': it says which of them to call.", field="tool_choice")
        if isinstance(choice, ToolChoice):
            self._check_known(choice)
        return self

    def _check_known(self, choice: ToolChoice) -> None:
        known = [tool.name for tool in self.tools]
        for path, name in choice.names():
            if name not in known:
                message = f"'{name:.64}' is none of the functions in 'tools', which are: {', '.join(known[:20])}."
                raise fault(message, field=f"tool_choice.{path}")

    @property
    def tool_use(self) -> ToolUse | None:
        """What the model may, must or must not call."""
        functions = [tool.function() for tool in self.tools]
        choice, many = self.tool_choice, self.parallel_tool_calls is not False
        if isinstance(choice, ToolChoice):
            many = many and choice.type != "function"
            return tool_use(functions, choice.word, (name for _, name in choice.names()), many=many)
        return tool_use(functions, choice, many=many)

    @property
    def shown_choice(self) -> str | dict[str, Any]:
        """The choice as the API shows it."""
        choice = self.tool_choice
        return choice.model_dump(exclude_none=True) if isinstance(choice, ToolChoice) else choice or "auto"

    def schema_path(self, name: str) -> str:
        """Where the body has the parameters of function `name`."""
        return f"tools[{[tool.name for tool in self.tools].index(name)}].parameters"

    def tool_texts(self) -> Iterator[str]:
        """Every text of the functions that can reach the prompt."""
        for tool in self.tools:
            yield from strings([tool.name, tool.description, tool.parameters])
