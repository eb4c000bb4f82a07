r"""Repairs of known damage to problems: each a function of problems that says which it touched.

They go one after the other; `near_copies` is best the last, since it sees what the others mend.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from sage_jax.data.escapes import with_escapes_read, with_form_feeds_read
from sage_jax.data.problem import Problem

__all__ = ["eaten_escapes", "form_feeds", "instructions", "near_copies"]

_BOX = r"\\boxed\b(?:\s*\{[^{}\n]*\})?"
_START = r"(?:\A|(?<=[\s.?!。？！)\]}$”]))"  # A sentence begins here, or a line.
_INSTRUCTIONS = (  # None may hold a question: "Please find x step by step." stays.
    # "Please reason step by step, and put your final answer within \boxed{}."
    r"(?:(?:Please|Let's|Let us|You should)\s+)?"
    r"(?:[Tt]hink|[Rr]eason|[Ss]how your (?:work|reasoning)|[Ee]xplain your reasoning"
    r"|[Ss]olve (?:the|this) (?:\w+ ){0,3}?(?:problem|question))\b"
    rf"[^.?!\n$]*\bstep[ -]by[ -]step\b[^.?!\n]*(?:{_BOX}[^.?!\n]*)?",
    # "Put your final answer in \boxed{}."
    r"(?:(?:Please|Remember to|Make sure to|Finally,?|Then,?|And)\s+)?"
    r"(?:[Pp]ut|[Gg]ive|[Ww]rite|[Pp]lace|[Pp]resent|[Rr]eturn|[Ee]nclose|[Oo]utput|[Pp]rovide)\s+"
    rf"(?:only\s+)?(?:your|the)\s+(?:final\s+)?answer\b(?!\s+(?:to|of)\b)[^.?!\n$]*{_BOX}[^.?!\n]*",
    # DAPO's: "The last line of your response should be of the form Answer: \boxed{$Answer} ..."
    rf"The last line of your response should be[^.?!\n]*Answer:[^.?!\n]*(?:{_BOX}[^.?!\n]*)?",
    r"Remember to put your answer on its own line after [\"“”]?Answer:[\"“”]?",
    r"让我们一步一步地?思考|请(?:一步一步|逐步)地?(?:思考|推理)[^。？！\n]*",
    rf"请(?=[^。？！\n]*答案)[以把将在用][^。？！\n]*{_BOX}[^。？！\n]*",
    r"如果是选择题，请[^。？！\n]*正确的?选项[^。？！\n]*|对于其他类型的问题，请[^。？！\n]*答案[^。？！\n]*",
)
_LAST = re.compile(rf"{_START}(?:{'|'.join(_INSTRUCTIONS)})[.!。！]?\s*\Z")


class Repaired(NamedTuple):
    """Problems after a repair.

    Attributes:
        problems: in the order given.
        touched: ids of those that were changed or dropped, in that order.
    """

    problems: list[Problem]
    touched: list[str]


def form_feeds(problems: Sequence[Problem]) -> Repaired:
    r"""Read form feeds as what they were: `\f` of a command, `fi` of a word, or a blank.

    Every form feed goes: `rac` behind one becomes `\frac`, and it is white space where it stands
    for nothing. Of DAPO-Math-17k's 17,243 problems it touches 637. See `data.escapes`.
    """
    return _rewritten(problems, with_form_feeds_read)


def eaten_escapes(problems: Sequence[Problem]) -> Repaired:
    r"""Give commands back their beginnings, where `\t`, `\n`, `\b` and their like were read as one.

    A tab before `imes` is `\times`, a line end before `abla` is `\nabla`; what may be meant as it
    stands is left. Of DAPO-Math-17k's 17,243 problems it touches 11. See `data.escapes`.
    """
    return _rewritten(problems, with_escapes_read)


def instructions(problems: Sequence[Problem]) -> Repaired:
    r"""Cut instructions on how to answer off the ends of statements, as whole sentences.

    Such as "Please reason step by step, and put your final answer within \boxed{}.": a prompt has
    one of its own. What belongs to the question stays, as "Express your answer as a fraction." Of
    DAPO-Math-17k's 17,243 problems it touches 20.
    """
    return _rewritten(problems, _without_instructions, fields=("problem",))


def near_copies(problems: Sequence[Problem]) -> Repaired:
    """Drop problems equal to another once all but letters and digits, and case, is left out.

    Of equal ones the first stays, and none where their answers differ: either a sign that is left
    out here tells them apart, or one of the answers is wrong, and nobody knows which. Of
    DAPO-Math-17k's 17,243 problems 949 equal an earlier one, in 895 groups, of which 18 differ in
    their answers: 967 go.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, problem in enumerate(problems):
        groups[re.sub(r"[\W_]", "", problem.problem).lower() or problem.problem].append(place)
    dropped = {place for group in groups.values() for place in _to_drop(problems, group)}
    return Repaired(
        [problem for place, problem in enumerate(problems) if place not in dropped],
        [problem.id for place, problem in enumerate(problems) if place in dropped],
    )


def _to_drop(problems: Sequence[Problem], group: list[int]) -> list[int]:
    answers = {problems[place].answer.strip() for place in group}
    return group if len(answers) > 1 else group[1:]


def _without_instructions(text: str) -> str:
    shorter = _LAST.sub("", text).rstrip()
    while shorter and _LAST.search(text):
        text, shorter = shorter, _LAST.sub("", shorter).rstrip()
    return text


def _rewritten(
    problems: Sequence[Problem],
    rewrite: Callable[[str], str],
    fields: Sequence[str] = ("problem", "answer", "solution"),
) -> Repaired:
    result, touched = [], []
    for problem in problems:
        texts = {name: getattr(problem, name) for name in fields}
        new = {name: rewrite(text) for name, text in texts.items() if text}
        changes = {name: text for name, text in new.items() if text != texts[name]}
        result.append(replace(problem, **changes) if changes else problem)
        touched += [problem.id] if changes else []
    return Repaired(result, touched)
