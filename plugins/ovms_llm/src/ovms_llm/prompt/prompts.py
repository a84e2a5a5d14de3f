"""Prompts: from what a client sent to token ids."""

from __future__ import annotations

from typing import Any, Final

from ovms_core.engine import RequestError
from ovms_llm.messages import Chat, Prompt, Text
from ovms_llm.prompt.templates import ChatTemplate
from ovms_llm.prompt.vocabulary import Vocabulary

# How models that can fill in the middle want it, with the tokens that show which of them a model is.
_FILL_IN_THE_MIDDLE: Final = (
    "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",  # Qwen2.5-Coder, CodeGemma
    "<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",  # StarCoder, SantaCoder
    "<fim-prefix>{prefix}<fim-suffix>{suffix}<fim-middle>",
    "<｜fim▁begin｜>{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>",  # DeepSeek-Coder
    "▁<PRE>{prefix}▁<SUF>{suffix}▁<MID>",  # CodeLlama
    "<PRE>{prefix}<SUF>{suffix}<MID>",
    "[SUFFIX]{suffix}[PREFIX]{prefix}",  # Codestral
)


def _tokens_of(form: str) -> list[str]:
    return form.replace("{prefix}", " ").replace("{suffix}", " ").split()


class Prompts:
    """Turns prompts of at most `max_characters` into token ids with a model's tokenizer and chat template."""

    def __init__(self, tokenizer: Any, template: ChatTemplate, vocabulary: Vocabulary, max_characters: int) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._vocabulary = vocabulary
        self._max_characters = max_characters

    def ids(self, prompt: Prompt) -> tuple[list[int], str | None]:
        """The token ids of `prompt`, and the text they were made from, if any. Raises `RequestError`."""
        if isinstance(prompt, Chat):
            text = self._template.render(prompt)
            return self._encode(text, add_special_tokens=False, param="messages"), text  # templates hold their own BOS
        if isinstance(prompt, Text):
            text = prompt.text if prompt.suffix is None else self._fill_in(prompt.text, prompt.suffix)
            return self._encode(text, prompt.add_special_tokens, "prompt"), text
        self._vocabulary.check(prompt.ids, "prompt")
        return list(prompt.ids), None

    def text(self, prompt: Prompt) -> str:
        """The text of `prompt`, special tokens included. Raises `RequestError`."""
        if isinstance(prompt, Chat):
            return self._template.render(prompt)
        if isinstance(prompt, Text):
            return prompt.text
        self._vocabulary.check(prompt.ids, "prompt")
        return self._vocabulary.decode([prompt.ids], False)[0]

    def marker(self, text: str) -> list[int]:
        """The token ids of a marker."""
        return self._encode(text, add_special_tokens=False, param="thinking")

    def _fill_in(self, prefix: str, suffix: str) -> str:
        for form in _FILL_IN_THE_MIDDLE:
            if all(token in self._vocabulary for token in _tokens_of(form)):
                return form.format(prefix=prefix, suffix=suffix)
        raise RequestError("the model has no fill-in-the-middle tokens: leave suffix out", param="suffix")

    def _encode(self, text: str, add_special_tokens: bool, param: str) -> list[int]:
        if len(text) > self._max_characters:
            raise RequestError(
                f"the prompt has {len(text)} characters, and this model reads at most {self._max_characters} "
                "(options.max_prompt_characters): shorten it",
                param=param,
                code="text_too_long",
            )
        try:
            encoded = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        except TypeError as error:
            raise RequestError("the text is not valid Unicode: it holds half a surrogate pair", param=param) from error
        ids: list[int] = encoded.input_ids.data[0].tolist()
        self._vocabulary.check_text(ids, param)
        return ids
