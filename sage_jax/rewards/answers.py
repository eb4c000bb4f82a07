"""The answer a completion gives: what is in its last box, or what it states as its answer.

Everything here is one linear pass over text that a model wrote, so it is safe in the process that
trains: nothing is parsed as mathematics, and no pattern can backtrack without bound.
"""

import re

from sage_jax.rewards.boxes import placed_boxes, unnested
from sage_jax.rewards.stated import stated, tagged
from sage_jax.rewards.thinking import after_thinking

TAIL = 50_000
STATED_TAIL = 1_000
MAX_CHARACTERS = 2_000
MAX_NESTING = 30
MAX_DIGITS = 400

_LONG_NUMBER = re.compile(rf"[\d,.]{{{MAX_DIGITS}}}")


def extract(completion: str) -> str | None:
    r"""Return the final answer of a completion, or None if it gives none.

    Thinking up to `</think>` is dropped. The last box or pair of `<answer>` tags that is not empty
    counts, whatever the text around it says; without any, an answer stated near the end ("the
    answer is", "####", below a heading; see `stated`).

    >>> extract(r"<think>\boxed{1}?</think> The answer is $\boxed{42}$.")
    '42'
    >>> extract("**Final Answer**\n\n42 pages"), extract("<answer>42</answer>"), extract("It is 42")
    ('42 pages', '42', None)
    """
    said = after_thinking(completion)
    if said is None:
        return None
    tail = said[-TAIL:]
    boxed = [(place, inside.strip()) for place, inside in placed_boxes(tail) if inside.strip()]
    tags = tagged(tail)
    if boxed and not (tags and tags.start > boxed[-1][0] and tags.is_value):
        return unnested(boxed[-1][1])
    return tags.answer if tags else stated(tail[-STATED_TAIL:])


def oversized(answer: str) -> bool:
    """Whether an answer is too long, too deeply nested or too many digits to be parsed at all.

    >>> oversized("7" * 399), oversized("7" * 400)
    (False, True)
    """
    if len(answer) > MAX_CHARACTERS or _LONG_NUMBER.search(answer):
        return True
    depth = deepest = 0
    for character in answer:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    return deepest > MAX_NESTING
