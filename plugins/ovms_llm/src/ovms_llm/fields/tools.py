"""The request fields that say which functions the model may call.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools, with the older ``functions`` and
``function_call``, which mean the same but for how the answer tells the call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from ovms_core.plugin import Json, Part, fault
from ovms_llm.fields.strings import strings
from ovms_llm.speech.functions.tools import Function, ToolUse

MAX_TOOLS: Final = 1024
_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_SAY_MORE: Final = frozenset({"type", "$ref", "anyOf", "oneOf", "allOf"})
"""Keywords at a schema's root that say more of the value than that it is an object."""


def _function_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("must be 1 to 64 letters, digits, underscores, dashes and dots")
    return name


FunctionName = Annotated[str, AfterValidator(_function_name)]


class FunctionFields(Part):
    """A function, as a client declares it."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Json] | None = None
    strict: bool | None = None

    @model_validator(mode="after")
    def _takes_an_object(self) -> FunctionFields:
        kind = (self.parameters or {}).get("type", "object")
        if kind != "object":
            message = f"The parameters of a function are an object: 'type' must be 'object' (got {kind!r:.60})."
            raise fault(message, field="parameters.type")
        return self

    def function(self) -> Function:
        """The function, as speech formats and grammars take it."""
        return declared(self.name, self.description, self.parameters, strict=self.strict is True)

    def texts(self) -> Iterator[str]:
        """Every text of it that can reach the prompt."""
        return strings([self.name, self.description, self.parameters])


def declared(name: str, description: str | None, parameters: dict[str, Any] | None, *, strict: bool) -> Function:
    """A function; one without `parameters` takes none, and those that it has are an object's."""
    if not parameters:
        return Function(name, description=description, strict=strict)
    schema = parameters if _SAY_MORE & parameters.keys() else {"type": "object", **parameters}
    return Function(name, schema, description, strict)


def refuse_other_tools(value: Any) -> Any:
    """Refuse a tool, or a choice of one, that is no function: such tools run on their provider's servers."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind not in ("function", "allowed_tools"):
        raise fault(
            f"Tools of type '{kind:.60}' are not supported: this server runs no tools. Send tools of type 'function'.",
            field="type",
            code="unsupported_parameter",
        )
    return value


class Tool(Part):
    """A tool: a function."""

    type: Literal["function"]
    function: FunctionFields

    @model_validator(mode="before")
    @classmethod
    def _is_a_function(cls, value: Any) -> Any:
        return refuse_other_tools(value)


Tools = Annotated[list[Tool], Field(max_length=MAX_TOOLS)]


class NamedFunction(Part):
    """The name of a function that is declared elsewhere."""

    name: str


class NamedTool(Part):
    """A tool that is declared elsewhere."""

    type: Literal["function"] = "function"
    function: NamedFunction


class AllowedTools(Part):
    """Those of the tools that may be called, and whether one must be."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedTool], Field(min_length=1)]


class ToolChoice(Part):
    """A choice of one tool, or of some."""

    type: Literal["function", "allowed_tools"]
    function: NamedFunction | None = None
    allowed_tools: AllowedTools | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_a_function(cls, value: Any) -> Any:
        return refuse_other_tools(value)

    @model_validator(mode="after")
    def _has_what_it_says(self) -> ToolChoice:
        if getattr(self, self.type) is None:
            raise fault(f"A choice of type '{self.type}' needs the field '{self.type}'.", field=self.type)
        return self

    def names(self) -> Iterator[tuple[str, str]]:
        """Each name that it mentions, with the path where."""
        if self.type == "function" and self.function is not None:
            yield "function.name", self.function.name
        elif self.allowed_tools is not None:
            for at, tool in enumerate(self.allowed_tools.tools):
                yield f"allowed_tools.tools[{at}].function.name", tool.function.name

    @property
    def must_call(self) -> bool:
        """Whether the model must call one of them."""
        return self.allowed_tools is None or self.allowed_tools.mode == "required"


Word = Literal["none", "auto", "required"]


def tool_use(
    functions: Sequence[Function], word: Word | None, names: Iterable[str] | None = None, *, many: bool = True
) -> ToolUse | None:
    """The use of `functions`, of which `names` may be called, all by default; `None` for no use of any."""
    if not functions or word == "none":
        return None
    allowed = None if names is None else frozenset(names)
    return ToolUse(tuple(functions), "required" if word == "required" else "auto", allowed, many)


def check_names(functions: Sequence[FunctionFields], path: str) -> None:
    """Raise a fault for the second of two functions with one name; `path` has the place of its number in it."""
    seen = set[str]()
    for at, function in enumerate(functions):
        if function.name in seen:
            message = f"Two functions are called '{function.name}': give each a name of its own."
            raise fault(message, field=path.format(at))
        seen.add(function.name)


class ToolFields(Part):
    """The fields of a body for tools, today's and the older ones."""

    tools: Tools | None = None
    tool_choice: Word | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[FunctionFields], Field(max_length=MAX_TOOLS)] | None = None
    function_call: Literal["none", "auto"] | NamedFunction | None = None

    @model_validator(mode="after")
    def _tools_agree(self) -> ToolFields:
        if self.model_fields_set.isdisjoint(_FIELDS):
            return self
        if self.tools and self.functions:
            raise fault("'functions' is the older name of 'tools': send one of them.", field="functions")
        check_names([tool.function for tool in self.tools or ()], "tools[{}].function.name")
        check_names(self.functions or (), "functions[{}].name")
        self._check_choice()
        self._check_function_call()
        return self

    def _check_choice(self) -> None:
        choice = self.tool_choice
        if choice in (None, "none", "auto"):
            return
        if not self.tools:
            raise fault("'tool_choice' needs 'tools': it says which of them to call.", field="tool_choice")
        if isinstance(choice, ToolChoice):
            for path, name in choice.names():
                self._check_known(name, f"tool_choice.{path}", "tools")

    def _check_function_call(self) -> None:
        if isinstance(self.function_call, NamedFunction):
            if not self.functions:
                message = "'function_call' needs 'functions': it says which of them to call."
                raise fault(message, field="function_call")
            self._check_known(self.function_call.name, "function_call.name", "functions")

    def _check_known(self, name: str, path: str, field: str) -> None:
        names = [function.name for function in self._declared()]
        if name not in names:
            known = ", ".join(names[:20])
            raise fault(f"'{name:.64}' is none of the functions in '{field}', which are: {known}.", field=path)

    def _declared(self) -> list[FunctionFields]:
        return [tool.function for tool in self.tools] if self.tools else self.functions or []

    @property
    def says_function_call(self) -> bool:
        """Whether the client uses the older fields, and reads ``function_call`` rather than ``tool_calls``."""
        return bool(self.functions)

    @property
    def tool_use(self) -> ToolUse | None:
        """What the model may, must or must not call."""
        if not self.tools and not self.functions:
            return None
        functions = [function.function() for function in self._declared()]
        if self.functions:
            return self._older_use(functions)
        choice, many = self.tool_choice, self.parallel_tool_calls is not False
        if isinstance(choice, ToolChoice):
            word: Word = "required" if choice.must_call else "auto"
            only_one = choice.type == "function"
            return tool_use(functions, word, (name for _, name in choice.names()), many=many and not only_one)
        return tool_use(functions, choice, many=many)

    def _older_use(self, functions: Sequence[Function]) -> ToolUse | None:
        """The older answer has room for one call."""
        if isinstance(self.function_call, NamedFunction):
            return tool_use(functions, "required", [self.function_call.name], many=False)
        return tool_use(functions, self.function_call, many=False)

    def schema_path(self, name: str) -> str:
        """Where the body has the parameters of function `name`."""
        at = [function.name for function in self._declared()].index(name)
        return f"functions[{at}].parameters" if self.functions else f"tools[{at}].function.parameters"

    def tool_texts(self) -> Iterator[str]:
        """Every text of the functions that can reach the prompt."""
        for function in self._declared():
            yield from function.texts()


_FIELDS: Final = frozenset(ToolFields.model_fields)
