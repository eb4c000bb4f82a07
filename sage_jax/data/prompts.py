"""From problems to token ids: the tokenizer's own chat template, or a plain one without it."""

from typing import TYPE_CHECKING, cast

from sage_jax.data.problem import DataError, Problem
from sage_jax.telling import line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render_text(
    tokenizer: "PreTrainedTokenizerBase",
    problem: Problem,
    *,
    system_prompt: str | None = None,
    answer_instruction: str = "",
    add_generation_prompt: bool = True,
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

    Raises:
      DataError: if the template refuses the messages (some know no system message).
    """
    question = "\n".join(part for part in (problem.problem, answer_instruction) if part)
    if not tokenizer.chat_template:
        return _plain(question, system_prompt, add_generation_prompt)
    messages = [{"role": "user", "content": question}]
    if system_prompt is not None:
        messages.insert(0, {"role": "system", "content": system_prompt})
    try:
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except Exception as error:  # jinja2's errors share no base with what a template may raise
        roles = " and ".join(message["role"] for message in messages)
        raise DataError(
            f"the tokenizer's chat template refuses {roles} messages: {line(error)}"
        ) from error
    return cast(str, text)


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
) -> list[int]:
    """Write the prompt for a problem as token ids; see `render_text`.

    A chat template writes the special tokens itself; the plain form gets those that the tokenizer
    puts around any text, of which a closing end token is dropped.
    """
    text = render_text(
        tokenizer,
        problem,
        system_prompt=system_prompt,
        answer_instruction=answer_instruction,
        add_generation_prompt=add_generation_prompt,
    )
    plain = not tokenizer.chat_template
    ids = list(tokenizer(text, add_special_tokens=plain)["input_ids"])
    return ids[:-1] if plain and ids[-1:] == [tokenizer.eos_token_id] else ids


def demonstration(
    tokenizer: "PreTrainedTokenizerBase",
    problem: Problem,
    solution: str,
    *,
    system_prompt: str | None = None,
    answer_instruction: str = "",
    end_id: int | None = None,
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
      end_id: the token that ends the completion; the tokenizer's end-of-sequence token if None.

    Returns:
      Token ids and a loss mask of the same length, True on the completion and its end token alone.

    Raises:
      ValueError: if the solution is empty or there is no end token.
    """
    end = tokenizer.eos_token_id if end_id is None else end_id
    if not isinstance(end, int):
        raise ValueError("the tokenizer has no end-of-sequence token: give end_id")
    completion = list(tokenizer(solution, add_special_tokens=False)["input_ids"])
    if not completion:
        raise ValueError(f"problem {problem.id!r}: the solution to imitate is empty")
    prompt = render(
        tokenizer, problem, system_prompt=system_prompt, answer_instruction=answer_instruction
    )
    completion.append(end)
    return prompt + completion, [False] * len(prompt) + [True] * len(completion)
