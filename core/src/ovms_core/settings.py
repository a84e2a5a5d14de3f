"""The server's settings, as typed models. `ovms_core.configuration` reads them from where users write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PrivateAttr,
    SecretStr,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]
Bytes = Annotated[int, Field(gt=0)]
Where = Callable[[Sequence[str | int]], str | None]
"""Tells where the setting at a path, such as ``("models", 0, "device")``, was written."""
S = TypeVar("S", bound=BaseModel)


class ModelName(str):
    """The name of a served model in a plugin's own settings: a text, checked when the server starts.

    A name that no model has stops the start, with its path and its place. `resolve` puts its errors down to the
    settings, not to the client: they are a 500, and the log has what is wrong.

    Example::

        class AskSettings(BaseModel):
            reranker: ModelName | None = None
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(min_length=1))


class Section(BaseModel):
    """A section of the configuration: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), frozen=True)


class TaskOptions(Section):
    """The base of a task's `options:` section: an unknown key is an error with its path."""


def _as_section(value: Any) -> Any:
    """A plugin's section, which may be empty."""
    if value is not None and not isinstance(value, dict):
        raise PydanticCustomError("section_type", "must be a mapping")
    return value or {}


class PluginSettings(Section):
    """Which plugins are loaded. Every further key is the name of a plugin, and holds that plugin's own settings."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, Annotated[dict[str, Any], BeforeValidator(_as_section)]] = Field(init=False)
    allow: list[str] | None = Field(default=None, description="Load only these plugins; by default all.")
    block: list[str] = Field(default=[], description="Never load these plugins.")
    required: list[str] = Field(default=[], description="Do not start unless these plugins work.")
    order: list[str] = Field(
        default=[], description="The order of plugins that wrap the same thing, outermost first; the others follow."
    )

    @property
    def sections(self) -> dict[str, dict[str, Any]]:
        """The plugins' own settings as they are written, by the plugin's name: read them with `Settings.plugin`."""
        return self.__pydantic_extra__


class ModelSettings(Section):
    """One served model."""

    name: Name | None = Field(
        default=None, description="The name that clients use; by default the last part of the source."
    )
    source: Name = Field(description="A hub id (org/name), pypi:NAME, starter:NAME, or a folder or file.")
    task: str | None = Field(default=None, description="The task; by default detected from the model's files.")
    device: str = Field(default="AUTO", description="CPU, GPU, GPU.1, NPU, AUTO or HETERO:GPU,CPU.")
    aliases: list[Name] = Field(default=[], description="Further names for the same model.")
    required: bool = Field(default=True, description="Whether readiness waits for this model.")
    options: dict[str, Any] = Field(default={}, description="The task's own options.")
    max_queue: int = Field(default=128, ge=0, description="The maximum number of waiting requests; others get a 429.")
    load_timeout: Seconds = Field(default=1800, description="The maximum number of seconds for loading.")
    step_timeout: Seconds = Field(
        default=300, description="Seconds without progress after which a busy engine is replaced."
    )


class Settings(Section):
    """All settings of the server."""

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port to listen on; 0 picks a free one.")
    models: list[ModelSettings] = Field(default=[], description="The served models.")
    model_repository: str | None = Field(default=None, description="The folder for downloaded models.")
    offline: bool = Field(default=False, description="Never download a model.")
    plugins: PluginSettings = Field(default=PluginSettings(), description="Which plugins are loaded.")
    device: str = Field(default="AUTO", description="The device of models that do not set one.")
    api_keys: dict[str, SecretStr] = Field(default={}, description="API keys, by user name.")
    api_key_file: str | None = Field(default=None, description="A file of API keys, one per line: KEY or NAME:KEY.")
    cors_origins: list[str] = Field(default=[], description="Origins whose pages may call the server; none by default.")
    unknown_fields: Literal["accept", "reject"] = Field(
        default="accept",
        description="What to do with unknown request fields: accept lists them in x-ignored-params.",
    )
    max_body_size: Bytes = Field(default=32 << 20, description="The maximum size of a request body, in bytes.")
    max_body_memory: Bytes = Field(
        default=512 << 20, description="The maximum size of all request bodies being read together, in bytes."
    )
    max_requests: int = Field(
        default=4096, gt=0, description="The maximum number of HTTP requests at a time; others get a 503."
    )
    body_timeout: Seconds = Field(default=60, description="The maximum number of seconds for receiving a request body.")
    request_timeout: Seconds = Field(default=3600, description="The maximum number of seconds for a request.")
    prime_timeout: Seconds = Field(
        default=10, description="Seconds to wait for a stream's first event before sending headers."
    )
    ping_interval: Seconds = Field(
        default=10, description="Seconds of silence after which a comment is sent in a stream."
    )
    drain_timeout: Seconds = Field(
        default=30, description="How many seconds running requests have to finish at shutdown."
    )
    worker_environment: list[Name] = Field(
        default=[],
        description="Further environment variables for workers: names, or patterns such as DRIVER_*.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="How much is logged.")
    access_log: bool = Field(default=False, description="Log one line of JSON for every request.")

    _where: Where | None = PrivateAttr(default=None)
    _of_plugins: Mapping[type[BaseModel], BaseModel] = PrivateAttr(default={})
    _by_plugin: Mapping[str, BaseModel] = PrivateAttr(default={})

    @model_validator(mode="before")
    @classmethod
    def _models_without_a_device(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "device" not in values or not isinstance(values.get("models"), list):
            return values
        models = [_with_device(model, values["device"]) for model in values["models"]]
        return {**values, "models": models}

    def plugin(self, cls: type[S]) -> S:
        """A plugin's own settings: the section ``plugins.NAME``, as the class that its hook ``ovms_settings`` returns.

        Raises `LookupError` for a class that no such hook returns.

        Example::

            limit = settings.plugin(NotesSettings).limit
        """
        found = self._of_plugins.get(cls)
        if not isinstance(found, cls):
            hint = f"return it from the hook ovms_settings, or ask for one of {_names(self._of_plugins)}"
            raise LookupError(f"{cls.__name__} is not the class of a plugin's settings: {hint}.")
        return found

    def with_plugins(self, found: Mapping[str, BaseModel]) -> Self:
        """These settings, and what `plugin` finds: the plugins' own settings, by the plugin's name."""
        settings = self.model_copy()
        settings._by_plugin = found
        settings._of_plugins = {type(each): each for each in found.values()}
        return settings

    @property
    def by_plugin(self) -> Mapping[str, BaseModel]:
        """The plugins' own settings, by the plugin's name."""
        return self._by_plugin

    def written_at(self, where: Where) -> Self:
        """These settings, which know where each of them was written."""
        settings = self.model_copy()
        settings._where = where
        return settings

    def where(self, path: Sequence[str | int]) -> str | None:
        """Where the setting at `path` was written (``ovms.yaml, line 3``); `None` if nobody wrote it."""
        return self._where(path) if self._where else None

    def written(self, path: Sequence[str | int]) -> str:
        """The start of an error message about the setting at `path`: where it was written, and a colon."""
        where = self.where(path)
        return f"{where}: " if where else ""


def _names(classes: Mapping[type[BaseModel], BaseModel]) -> str:
    return ", ".join(cls.__name__ for cls in classes) or "those that are (there are none)"


def _with_device(model: Any, device: Any) -> Any:
    if isinstance(model, ModelSettings):
        return model if "device" in model.model_fields_set else model.model_copy(update={"device": device})
    return {"device": device, **model} if isinstance(model, dict) else model
