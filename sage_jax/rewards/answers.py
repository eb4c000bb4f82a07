"""The answer a completion gives: what is in its last box, or what it states as its answer.

Everything here is one linear pass over text that a model wrote, so it is safe in the process that
trains: nothing is parsed as mathematics, and no pattern can backtrack without bound.
"""

import re

TAIL = 50_000
STATED_TAIL = 1_000
MAX_CHARACTERS = 2_000
MAX_NESTING = 30
MAX_DIGITS = 400

_BRACES = re.compile(r"\\(?:boxed|fbox)\s{0,8}\{|\\.|[{}]", re.DOTALL)
_STATED = re.compile(r"(?:\banswer(?:\s{1,4}is\b|\s{0,4}[:=])|####)[\s:*]{0,8}", re.IGNORECASE)
_TAKEN_BACK = re.compile(
    r"\b(?:no|not|wait|wrong|incorrect|mistake|actually|instead|but|however|rather|or)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"\.(?=\s|$)|\n")
_LONG_NUMBER = re.compile(rf"[\d,.]{{{MAX_DIGITS}}}")


def after_thinking(completion: str) -> str | None:
    """Return what follows the last `</think>`; None if a thought was opened and never closed."""
    _, closed, rest = completion.rpartition("</think>")
    if "<think>" in rest:
        return None
    return rest if closed else completion


def boxes(text: str) -> list[str]:
    r"""Return the contents of the balanced, outermost `\boxed{...}`, in order.

    A box inside another belongs to the outer one, `\boxed {...}` and `\fbox{...}` count as well,
    escaped braces `\{` do not open or close anything, and a box that never closes is no box.

    >>> boxes(r"\boxed{1}, \boxed{\frac{1}{2}} and \boxed{3")
    ['1', '\\frac{1}{2}']
    """
    opened: list[tuple[int, int, bool]] = []
    found: list[tuple[int, str]] = []
    for match in _BRACES.finditer(text):
        token = match.group()
        if token.endswith("{") and token != r"\{":
            opened.append((match.start(), match.end(), len(token) > 1))
        elif token == "}" and opened:
            start, end, is_box = opened.pop()
            if is_box:
                while found and found[-1][0] > start:
                    found.pop()
                found.append((start, text[end : match.start()]))
    return [content for _, content in found]


def stated(text: str) -> str | None:
    """Return what the text's end states as its answer ("the answer is 7", "#### 7"), or None.

    None as well if something after that sentence takes it back ("Wait, no").
    """
    text = text[-STATED_TAIL:]
    for statement in reversed(list(_STATED.finditer(text))):
        sentence, *rest = _SENTENCE_END.split(text[statement.end() :], maxsplit=1)
        if answer := _undressed(sentence.strip().strip("*").strip()):
            return None if rest and _TAKEN_BACK.search(rest[0]) else answer
    return None


def _undressed(answer: str) -> str:
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
        inside = answer[len(opening) : len(answer) - len(closing)]
        if answer.startswith(opening) and answer.endswith(closing) and opening not in inside:
            return inside.strip()
    return answer


def extract(completion: str) -> str | None:
    r"""Return the final answer of a completion, or None if it gives none.

    Thinking up to `</think>` is dropped; the last box that is not empty counts, whatever the text
    around it says; without any box, an answer stated near the end ("the answer is", "####").

    >>> extract(r"<think>\boxed{1}?</think> The answer is $\boxed{42}$.")
    '42'
    """
    said = after_thinking(completion)
    if said is None:
        return None
    tail = said[-TAIL:]
    boxed = [content.strip() for content in boxes(tail) if content.strip()]
    if not boxed:
        return stated(tail)
    return _unnested(boxed[-1])


def _unnested(answer: str) -> str:
    """Take `\\boxed{\\boxed{7}}` for 7."""
    inner = boxes(answer)
    alone = len(inner) == 1 and re.fullmatch(r"\\(?:boxed|fbox)\s{0,8}\{.*\}", answer, re.DOTALL)
    return inner[0].strip() if alone and answer.endswith(inner[0] + "}") else answer


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
