"""Chat templates that the operator gives instead of the model's: ``options.chat_template``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import TemplateSyntaxError

from ovms_core.engine import LoadError
from ovms_core.model_files import read_text
from ovms_llm.prompt.templates import RENDER_ERRORS, render

_MARKS: Final = ("{{", "{%", "\n")
"""What a template holds and a path does not."""


def own_templates(option: str | Mapping[str, str], folder: Path) -> dict[str, str]:
    """The templates that `option` gives, by name: one text or file, which is ``default``, or several.

    A relative path is one in the model's `folder`, or else in the working directory. Raises `LoadError` when a file
    cannot be read or a template is not valid Jinja.
    """
    if isinstance(option, str):
        return {"default": _template(option, folder, "options.chat_template")}
    return {name: _template(text, folder, f"options.chat_template.{name}") for name, text in option.items()}


def _template(option: str, folder: Path, key: str) -> str:
    text = option if any(mark in option for mark in _MARKS) else _read(option, folder, key)
    try:
        render(text, [{"role": "user", "content": ""}], {})
    except TemplateSyntaxError as error:
        raise LoadError(f"{key} is not valid Jinja: line {error.lineno}: {error.message}. Mend the template") from error
    except RENDER_ERRORS:  # it may want another conversation, or variables that only requests have
        return text
    return text


def _read(option: str, folder: Path, key: str) -> str:
    path = Path(option).expanduser()
    file = next((each for each in (folder / path, path.absolute()) if each.exists()), None)
    if file is None:
        raise LoadError(
            f"{key} is '{option}', and there is no such file in the model's folder or the working directory: name a "
            "file, or give the template's text"
        )
    return read_text(file.parent, file.name) or ""
