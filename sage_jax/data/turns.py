"""How a chat template opens and ends the turns of a conversation, found by writing one."""

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sage_jax.data.problem import DataError
from sage_jax.data.spelling import Spelling
from sage_jax.data.templates import DATE, write
from sage_jax.rewards.thinking import first_opening
from sage_jax.telling import brief

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger("sage_jax.data")

# Stand for contents; no template writes them by itself.
_SYSTEM, _ASKED, _SAID, _AGAIN = "Zqsystemqz", "Zqaskedqz", "Zqsaidqz", "Zqagainqz"


@dataclass(frozen=True)
class Turns:
    """What a template writes around what the model says.

    Attributes:
        opened: text behind the start of the model's turn, with which every completion begins: a
            thought that the template opens, or words put into the model's mouth.
        end_id: the token that ends a turn, None if there is none.
    """

    opened: str = ""
    end_id: int | None = None


def read_turns(
    tokenizer: "PreTrainedTokenizerBase",
    spelling: Spelling,
    *,
    system_prompt: str | None = None,
    date: str = DATE,
    thinking: bool | None = None,
) -> Turns:
    """Look at how the tokenizer's chat template writes a short conversation.

    Raises:
        DataError: if the template refuses the messages, or leaves one of them out.
    """
    if not tokenizer.chat_template:
        return Turns()
    _refuse_random(str(tokenizer.chat_template))
    head = [{"role": "system", "content": _SYSTEM}] if system_prompt else []
    head.append({"role": "user", "content": _ASKED})
    told: dict[str, Any] = {"date": date, "thinking": thinking}
    prompt = write(tokenizer, head, **told)
    _refuse_dropped(prompt, system_prompt)
    said = [*head, {"role": "assistant", "content": _SAID}]
    closed = _tried(tokenizer, said, told)
    history = _tried(tokenizer, [*said, {"role": "user", "content": _AGAIN}], told)
    tail, rest = _behind(prompt, _ASKED), _behind(closed, _SAID)
    if _tried(tokenizer, head, told) == prompt:
        # The template always ends where the model is to go on, behind an answer too.
        rest = rest[: len(rest) - _common(rest[::-1], tail[::-1])]
    headers = [_between(text, _ASKED, _SAID) for text in (history, closed)]
    return Turns(
        opened=spelling.shown(_opened(tail, headers, spelling)),
        end_id=_end_id(spelling, [rest.strip(), _left_of_header(history).strip()]),
    )


def _end_id(spelling: Spelling, ends: list[str]) -> int | None:
    """The token that the first of some texts begins with that begins with one of its own."""
    ids = [spelling.token_at_start(end) for end in ends]
    found = next((index for index in ids if index is not None), None)
    if found is None and any(ends):
        _log.warning(
            "the chat template ends a turn with %s, which is no token of the tokenizer: a "
            "completion goes on behind it, unless rollout.stop names it",
            brief(next(filter(None, ends))),
        )
    return found


def _refuse_random(template: str) -> None:
    if re.search(r"\|\s*random\b|\blipsum\s*\(", template):
        raise DataError(
            "the tokenizer's chat template draws at random, so that prompts would not be the same "
            "twice: give the model's folder one that does not"
        )


def _refuse_dropped(prompt: str, system_prompt: str | None) -> None:
    if _ASKED not in prompt:
        raise DataError(
            "the tokenizer's chat template leaves out the user's message, so that the model would "
            "never see a problem: give the model's folder a template that writes it"
        )
    if system_prompt and _SYSTEM not in prompt:
        raise DataError(
            "the tokenizer's chat template leaves out the system message, so that the model would "
            "never see task.system_prompt: say it in task.instruction instead"
        )


def _tried(
    tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, str]], told: dict[str, Any]
) -> str:
    """The conversation as text; empty where a template writes prompts alone."""
    try:
        return write(tokenizer, messages, add_generation_prompt=False, **told)
    except DataError:
        return ""


def _behind(text: str, word: str) -> str:
    return text.rpartition(word)[2] if word in text else ""


def _between(text: str, first: str, second: str) -> str | None:
    before, found, _ = text.partition(second)
    return _behind(before, first) if found and first in before else None


def _opened(tail: str, headers: list[str | None], spelling: Spelling) -> str:
    """What of a prompt's end lies behind the start of the model's turn.

    That start is what the prompt has in common with a turn that was answered. Some templates put an
    empty thought before the last answer, so that the least of it counts; a tag that opens a thought
    never belongs to the start, unless the user's turn speaks of it; and no token is cut in two.
    """
    starts = [_common(tail, header) for header in headers if header is not None]
    asked = spelling.last_hidden(tail)
    thought = first_opening(tail[asked:])
    if thought is not None:
        starts.append(asked + thought)
    return tail[spelling.boundary(tail, min(starts, default=len(tail))) :]


def _left_of_header(history: str) -> str:
    """What stands between an answer and the header of the user's turn after it."""
    between = _between(history, _SAID, _AGAIN)
    if between is None:
        return ""
    first = history.partition(_ASKED)[0]
    return between[: len(between) - _common(between[::-1], first[::-1])]


def _common(first: str, second: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(first), len(second)))
