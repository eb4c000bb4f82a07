"""Chat templates: messages as text, with a date that stays."""

import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from sage_jax.data.problem import DataError
from sage_jax.telling import line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DATE = "2024-07-26"
"""The date that Llama 3.1's template writes where it is given none."""

Message = Mapping[str, str]


def write(
    tokenizer: "PreTrainedTokenizerBase",
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool = True,
    date: str = DATE,
    thinking: bool | None = None,
) -> str:
    """Messages as the tokenizer's chat template writes them.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        messages: of roles system, user and assistant.
        add_generation_prompt: end where the model is to go on.
        date: what a template that asks for today's date is told, as YYYY-MM-DD.
        thinking: whether a template that can have the model think first does so
            (`enable_thinking`); None leaves its own default.

    Raises:
        DataError: if the template refuses the messages (some know no system message), or does not
            ask whether to think.
    """
    template = dated(tokenizer, date)
    own: dict[str, Any] = {} if template is None else {"chat_template": template}
    if thinking is not None:
        own["enable_thinking"] = _asked(tokenizer, thinking)
    try:
        text = tokenizer.apply_chat_template(
            [dict(one) for one in messages],
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            **own,
        )
    except Exception as error:  # jinja2's errors share no base with what a template may raise
        roles = " and ".join(message["role"] for message in messages)
        raise DataError(
            f"the tokenizer's chat template refuses {roles} messages: {line(error)}"
        ) from error
    return cast(str, text)


def _asked(tokenizer: "PreTrainedTokenizerBase", thinking: bool) -> bool:
    if "enable_thinking" not in str(tokenizer.chat_template):
        raise DataError(
            f"task.thinking is {str(thinking).lower()}, and the tokenizer's chat template does not "
            "ask for it (enable_thinking): leave it out"
        )
    return thinking


# What strftime knows; %-d and the like leave out leading zeros.
_DIRECTIVES = [*"aAbBcdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ", *(f"-{one}" for one in "deHIjmMSUWy")]


def dated(tokenizer: "PreTrainedTokenizerBase", date: str) -> str | None:
    """A template that asks for today's date, answered with another; None if it does not ask.

    The clock is a function of the template's surroundings, `strftime_now`; a macro of that name in
    front of the template stands in for it.

    Raises:
        ValueError: if the date is not one.
    """
    template = tokenizer.chat_template
    if not isinstance(template, str) or "strftime_now" not in template:
        return None
    day = datetime.datetime.fromisoformat(date)
    words = [(f"%{one}", day.strftime(f"%{one}")) for one in _DIRECTIVES]
    chain = "".join(f' | replace("{form}", {_quoted(word)})' for form, word in words)
    # The line break behind the macro is the template engine's to swallow.
    return (
        '{% macro strftime_now(format="%Y-%m-%d") %}{{ format' + chain + " }}{% endmacro %}\n"
    ) + template


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("\t", "\\t") + '"'
