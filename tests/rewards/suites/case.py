"""One completion, the gold answer and the reward it must get."""

from typing import NamedTuple


class Case(NamedTuple):
    """A line of a suite.

    Attributes:
      name: kind and number, such as "tower-3".
      completion: what a model might write.
      gold: the right answer.
      reward: what the completion must get.
      question: the problem, where it matters.
    """

    name: str
    completion: str
    gold: str
    reward: float
    question: str = ""


def named(kind, rows):
    """Number the rows (completion, gold, reward[, question]) of one kind."""
    return [Case(f"{kind}-{index}", *row) for index, row in enumerate(rows)]
