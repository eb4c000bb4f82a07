"""From problems to token ids: the tokenizer's own chat template, or a plain one without it."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sage_jax.data.problem import DataError, Problem
from sage_jax.data.spelling import Part, Spelling, joined
from sage_jax.data.templates import DATE, write
from sage_jax.data.turns import read_turns

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Prompting:
    """What is said around every problem.

    Attributes:
        system_prompt: empty leaves the template's own.
        instruction: said below each problem.
        prefix: how every completion begins; given to the model and judged with what it adds.
        date: what a template that asks for today's date is told, as YYYY-MM-DD.
        thinking: whether a template has the model think first; None leaves it to the template.
    """

    system_prompt: str = ""
    instruction: str = ""
    prefix: str = ""
    date: str = DATE
    thinking: bool | None = None


def render_text(
    tokenizer: "PreTrainedTokenizerBase",
    problem: Problem,
    *,
    system_prompt: str | None = None,
    answer_instruction: str = "",
    add_generation_prompt: bool = True,
    date: str = DATE,
    thinking: bool | None = None,
) -> str:
    """Write the prompt for a problem as text.

    With a chat template: the system prompt, where given, and the problem followed by the
    instruction as the user's message. Without one, the same parts as paragraphs.

    Args:
        tokenizer: a transformers tokenizer.
        problem: the problem.
        system_prompt: system message; None leaves it to the template's own default.
        answer_instruction: how to give the answer; stands below the problem.
        add_generation_prompt: end where the model is to go on.
        date: what a template that asks for today's date is told, as YYYY-MM-DD.
        thinking: as of `templates.write`.

    Raises:
        DataError: if the template refuses the messages (some know no system message), or does not
            write the problem.
    """
    question = "\n".join(part for part in (problem.problem, answer_instruction) if part)
    if not tokenizer.chat_template:
        return _plain(question, system_prompt, add_generation_prompt)
    messages = [{"role": "user", "content": question}]
    if system_prompt is not None:
        messages.insert(0, {"role": "system", "content": system_prompt})
    text = write(
        tokenizer,
        messages,
        add_generation_prompt=add_generation_prompt,
        date=date,
        thinking=thinking,
    )
    if question.strip() not in text:
        raise DataError(
            f"problem {problem.id!r}: the tokenizer's chat template does not write it as it is, so "
            "that the model would see something else: give the model's folder a template that does"
        )
    return text


def _plain(question: str, system_prompt: str | None, add_generation_prompt: bool) -> str:
    parts = [system_prompt] if system_prompt else []
    parts.append(f"Problem: {question}")
    if add_generation_prompt:
        parts.append("Solution:\n")
    return "\n\n".join(parts)


def render(
    tokenizer: "PreTrainedTokenizerBase",
    problem: Problem,
    *,
    system_prompt: str | None = None,
    answer_instruction: str = "",
    add_generation_prompt: bool = True,
    date: str = DATE,
    thinking: bool | None = None,
    spelling: Spelling | None = None,
) -> list[int]:
    """Write the prompt for a problem as token ids; see `render_text`.

    A chat template writes the special tokens itself; the plain form gets those that the tokenizer
    puts around any text, of which a closing end token is dropped. Control tokens that are spelt in
    the problem are text.

    Args:
        tokenizer: a transformers tokenizer.
        problem: the problem.
        system_prompt: as in `render_text`.
        answer_instruction: as in `render_text`.
        add_generation_prompt: as in `render_text`.
        date: as in `render_text`.
        thinking: as in `render_text`.
        spelling: of this tokenizer, where many prompts are written.
    """
    write_one = functools.partial(
        render_text,
        tokenizer,
        system_prompt=system_prompt,
        answer_instruction=answer_instruction,
        add_generation_prompt=add_generation_prompt,
        date=date,
        thinking=thinking,
    )
    plain, spelling = not tokenizer.chat_template, spelling or Spelling(tokenizer)
    parts = [Part(write_one(problem))]
    if spelling.spells(problem.problem):
        parts = _around(problem, parts[0].text, write_one)
    ids = spelling.ids(*parts, frame=plain)
    return ids[:-1] if plain and ids[-1:] == [tokenizer.eos_token_id] else ids


# Stands for a problem; no template writes it by itself.
_PROBLEM = "Zqproblemqz"


def _around(problem: Problem, text: str, write_one: Callable[[Problem], str]) -> list[Part]:
    """A rendered prompt in parts, so that the problem is told from what the template writes."""
    asked = problem.problem
    forms = (asked, asked.strip(), asked.lstrip(), asked.rstrip())
    parts = joined(text, write_one(replace(problem, problem=_PROBLEM)), _PROBLEM, forms)
    if parts is None:
        raise DataError(
            f"problem {problem.id!r} spells a control token, and the tokenizer's chat template "
            "writes another prompt around it than around other problems: leave it out"
        )
    return parts


def demonstration(
    tokenizer: "PreTrainedTokenizerBase",
    problem: Problem,
    solution: str,
    *,
    system_prompt: str | None = None,
    answer_instruction: str = "",
    end_id: int | None = None,
    date: str = DATE,
    thinking: bool | None = None,
) -> tuple[list[int], list[bool]]:
    """Write a prompt and the completion to imitate, for supervised training.

    The prompt's ids are exactly those of `render`, and the completion is tokenised by itself, as
    a sampled one continues the prompt token by token.

    Args:
        tokenizer: a transformers tokenizer.
        problem: the problem.
        solution: the completion, without an end token.
        system_prompt: as in `render`.
        answer_instruction: as in `render`.
        end_id: the token that ends the completion; if None the one with which the chat template
            ends a turn, or else the tokenizer's end-of-sequence token.
        date: as in `render`.
        thinking: as in `render`.

    Returns:
        Token ids and a loss mask of the same length, True on the completion and its end token
        alone.

    Raises:
        ValueError: if the solution is empty or there is no end token.
    """
    spelling = Spelling(tokenizer)
    if end_id is None:
        turns = read_turns(
            tokenizer, spelling, system_prompt=system_prompt, date=date, thinking=thinking
        )
        end_id = turns.end_id
    end = tokenizer.eos_token_id if end_id is None else end_id
    if not isinstance(end, int):
        raise ValueError("the tokenizer has no end-of-sequence token: give end_id")
    completion = spelling.solution(solution)
    if not completion:
        raise ValueError(f"problem {problem.id!r}: the solution to imitate is empty")
    prompt = render(
        tokenizer,
        problem,
        system_prompt=system_prompt,
        answer_instruction=answer_instruction,
        date=date,
        thinking=thinking,
        spelling=spelling,
    )
    completion.append(end)
    return prompt + completion, [False] * len(prompt) + [True] * len(completion)
