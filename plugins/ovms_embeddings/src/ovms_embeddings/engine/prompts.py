"""What stands before a text: the model's own prompts, by name or by what the text is for."""

from __future__ import annotations

from ovms_core.engine import RequestError
from ovms_embeddings.engine.recipe import Recipe
from ovms_embeddings.messages import Embed

_QUERY = ("query", "search_query", "web_search_query")
_DOCUMENT = ("document", "search_document", "passage", "corpus", "text")


def prompt_of(request: Embed, recipe: Recipe, *, ids_are_text: bool) -> str:
    """The prompt for the texts of `request`; empty when there is none. `ids_are_text` where token ids become texts.

    Raises `RequestError` for a prompt that the model does not have, or where there is nothing it could stand before.
    """
    if request.prompt_name is not None and request.input_type is not None:
        raise RequestError("Give 'prompt_name' or 'input_type', not both.", param="input_type", code="invalid_value")
    param = "prompt_name" if request.prompt_name is not None else "input_type"
    asked = request.prompt_name if request.prompt_name is not None else request.input_type
    if asked is None:
        return recipe.prompts.get(recipe.default_prompt or "", "")
    if not ids_are_text and any(not isinstance(content, str) for content in request.inputs):
        message = f"'{param}' puts a prompt before a text, and cannot before token ids: put its tokens there yourself."
        raise RequestError(message, param=param, code="invalid_value")
    name = asked if param == "prompt_name" else _for_purpose(asked, recipe)
    if name is None:
        return ""
    if name not in recipe.prompts:
        raise RequestError(_unknown(param, asked, recipe), param=param, code="invalid_value")
    return recipe.prompts[name]


def _for_purpose(purpose: str, recipe: Recipe) -> str | None:
    """The model's name for `purpose`, which different APIs call differently.

    `None` where the model has a prompt only for the opposite purpose: then this one wants none, as in
    sentence-transformers' ``encode_query`` and ``encode_document``.
    """
    for group, opposite in ((_QUERY, _DOCUMENT), (_DOCUMENT, _QUERY)):
        if purpose in group:
            known = next((name for name in (purpose, *group) if name in recipe.prompts), None)
            return known or (None if recipe.prompts.keys() & opposite else purpose)
    return purpose


def _unknown(param: str, asked: str, recipe: Recipe) -> str:
    if not recipe.prompts:
        return f"'{param}' is '{asked}', and the model has no prompts: leave it out."
    return f"The model has no prompt for {param} '{asked[:60]}'. It has: {', '.join(sorted(recipe.prompts))}."
