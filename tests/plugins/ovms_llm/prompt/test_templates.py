"""Chat templates: what models are shown, and what is said when a template refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ovms_core.engine import LoadError, RequestError
from ovms_llm.messages import Chat
from ovms_llm.prompt.own_templates import own_templates
from ovms_llm.prompt.templates import ChatTemplate

CHATML = """{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""
TRIMMING = "{% for m in messages %}[{{ m.role }}] {{ m.content | trim }}{{ eos_token }}{% endfor %}"
PARTS = "{% for m in messages %}{% for p in m.content %}<{{ p.text }}>{% endfor %}{% endfor %}"
TOOLS = "{% for tool in tools %}{{ tool | tojson }}{% endfor %}{{ messages[0].content }}"
LOGIC = (
    "{% set ns = namespace(last=none) %}{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
    "{% set ns.last = m.content %}{% generation %}{{ m.content }}{% endgeneration %};{% endfor %}{{ ns.last }}"
)
REASONING = "{% for m in messages %}({{ m.reasoning_content }}){{ m.content }}{% endfor %}"
USER = {"role": "user", "content": "<b>Hé & 'you'</b>"}
ASSISTANT = {"role": "assistant", "content": "One, two, "}
THINKING = {"role": "assistant", "content": "Yes.", "thinking": "Is it?"}


def _no_fallback(*arguments: Any) -> str:
    raise AssertionError(f"the fallback was asked for {arguments}")


def template_of(text: str) -> ChatTemplate:
    return ChatTemplate({"default": text}, {"eos_token": "</s>"}, _no_fallback)


@pytest.mark.parametrize("template", [CHATML, TRIMMING, TOOLS, LOGIC, REASONING])
@pytest.mark.parametrize("messages", [[USER], [{"role": "system", "content": "x"}, USER, ASSISTANT], [USER, THINKING]])
@pytest.mark.parametrize("options", [{}, {"add_generation_prompt": False}])
def test_prompts_are_those_of_transformers(
    template: str, messages: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    reference = pytest.importorskip("transformers.utils.chat_template_utils")
    kwargs = {"tools": [{"type": "function", "function": {"name": "f", "description": "<é>"}}]}
    chat = Chat(messages, template_kwargs=kwargs, **options)
    expected, _ = reference.render_jinja_template(
        [messages], chat_template=template, eos_token="</s>", **kwargs, **({"add_generation_prompt": True} | options)
    )
    assert template_of(template).render(chat) == expected[0]


@pytest.mark.parametrize("template", [CHATML, TRIMMING])
def test_a_final_message_is_continued_as_in_transformers(template: str) -> None:
    reference = pytest.importorskip("transformers.utils.chat_template_utils")
    messages = [USER, ASSISTANT]
    expected, _ = reference.render_jinja_template(
        [messages], chat_template=template, eos_token="</s>", continue_final_message=True
    )
    chat = Chat(messages, add_generation_prompt=False, continue_final_message=True)
    assert template_of(template).render(chat) == expected[0]
    assert expected[0].rstrip().endswith("One, two,")


def test_parts_are_joined_or_kept_as_the_template_wants_them() -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    assert "ab<|im_end|>" in template_of(CHATML).render(Chat([message]))
    assert template_of(PARTS).render(Chat([message, USER])) == "<a><b><" + USER["content"] + ">"


@pytest.mark.parametrize(
    ("template", "messages", "options", "param", "words"),
    [
        ("{{ raise_exception('Roles must alternate') }}", [USER], {}, "messages", "Roles must alternate"),
        (CHATML, [{"role": "user"}], {}, "messages", "content"),
        (CHATML, [{"role": "user", "content": None}], {}, "messages", "refuses the messages"),
        (
            CHATML,
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}],
            {},
            "messages[0].content[1]",
            "image_url",
        ),
        (CHATML, [], {"continue_final_message": True}, "messages", "is empty"),
        ("nothing", [USER], {"continue_final_message": True}, "messages", "not an accepted field"),
        ("{{ ().__class__.__mro__ }}", [USER], {}, "messages", "unsafe"),
        ("{% set ns = namespace(__class__=1) %}", [USER], {}, "messages", "namespace"),
        ("{% set ns = namespace() %}{% set ns.__class__ = 1 %}", [USER], {}, "messages", "namespace"),
        ("{{ messages.append(1) }}", [USER], {}, "messages", "unsafe"),
        (CHATML, [USER], {"template_kwargs": {"chat_template": "x"}}, "chat_template_kwargs.chat_template", "leave it"),
    ],
)
def test_what_a_template_refuses_is_the_clients_error(
    template: str, messages: list[dict[str, Any]], options: dict[str, Any], param: str, words: str
) -> None:
    with pytest.raises(RequestError) as refused:
        template_of(template).render(Chat(messages, **options))
    assert refused.value.status == 400
    assert refused.value.param == param
    assert words in refused.value.message


def test_a_model_without_a_template_says_what_to_do() -> None:
    with pytest.raises(RequestError, match=r"use /completions .* options\.chat_template"):
        ChatTemplate({"default": ""}, {}, _no_fallback).render(Chat([USER]))


def test_tools_choose_the_template_that_is_for_them() -> None:
    template = ChatTemplate({"default": "plain", "tool_use": "with tools"}, {}, _no_fallback)
    assert template.render(Chat([USER])) == "plain"
    assert template.render(Chat([USER], template_kwargs={"tools": [{}]})) == "with tools"


def test_a_template_is_chosen_by_its_name_and_never_by_its_text() -> None:
    template = ChatTemplate({"default": "plain", "rag": "with documents"}, {}, _no_fallback)
    assert template.render(Chat([USER], template="rag")) == "with documents"
    for unknown in ("tool_use", "", "{{ messages }}"):
        with pytest.raises(RequestError, match=r"it has default, rag.*options\.chat_template") as refused:
            template.render(Chat([USER], template=unknown))
        assert (refused.value.param, refused.value.status) == ("chat_template", 400)


def test_the_operators_template_is_a_text_or_a_file_or_several_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, work = tmp_path / "model", tmp_path / "work"
    for folder in (model, work):
        folder.mkdir()
        (folder / "both.jinja").write_text(folder.name)
    (work / "here.jinja").write_bytes("\ufeff{{ x }}\r\n".encode())
    monkeypatch.chdir(work)
    assert own_templates("{{ messages }}", model) == {"default": "{{ messages }}"}
    assert own_templates("both.jinja", model) == {"default": "model"}
    assert own_templates("here.jinja", model) == {"default": "{{ x }}\n"}
    assert own_templates({"default": "a\n", "rag": str(work / "both.jinja")}, model) == {
        "default": "a\n",
        "rag": "work",
    }


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("none.jinja", "options.chat_template is 'none.jinja', and there is no such file"),
        ("ok\n{% if %}", "options.chat_template is not valid Jinja: line 2: Expected an expression"),
        ("a\n\n{{ x | nofilter }}", "line 3: No filter named 'nofilter'"),
        ({"rag": "{{ x"}, "options.chat_template.rag is not valid Jinja: line 1"),
    ],
)
def test_an_operators_template_that_cannot_be_used_is_an_error_at_load(
    option: str | dict[str, str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(LoadError) as refused:
        own_templates(option, tmp_path)
    assert words in str(refused.value)


def test_a_template_that_jinja_cannot_compile_is_left_to_the_tokenizer() -> None:
    asked: list[Sequence[Any]] = []

    def fallback(*arguments: Any) -> str:
        asked.append(arguments)
        return "prompt"

    template = ChatTemplate({"default": "{% unknown %}"}, {"bos_token": "<s>"}, fallback)
    assert template.render(Chat([USER], template_kwargs={"tools": [1]})) == "prompt"
    assert asked == [([USER], True, "{% unknown %}", [1], {"bos_token": "<s>"})]
    with pytest.raises(RequestError, match="cannot continue the final message"):
        template.render(Chat([USER], continue_final_message=True))
