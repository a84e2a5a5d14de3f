"""The task: which models it takes, their options, and their engine."""

from pydantic import Field

from ovms_core.plugin import ModelFiles, Task, TaskOptions
from ovms_language.messages import Identified, Identify


class LanguageOptions(TaskOptions):
    """The `options:` of a language model."""

    fallback: str = Field("und", description="The language of a text without any known word.")


def detect(files: ModelFiles) -> int:
    """How sure it is that a model is of this task: it has a file that no other has."""
    return 90 if files.has("languages.json") else 0


LANGUAGE = Task(
    name="language",
    engine="ovms_language.engine:LanguageEngine",
    options=LanguageOptions,
    request=Identify,
    event=Identified,
    detect=detect,
)
