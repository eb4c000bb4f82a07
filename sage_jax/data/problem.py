"""The problem: a question with an answer that can be verified."""

from dataclasses import dataclass

from sage_jax.telling import OneLine


class DataError(OneLine):
    """A data file or problem is not what it should be; the message says where and why."""


@dataclass(frozen=True)
class Problem:
    r"""One question and its gold answer.

    Attributes:
      id: unique name.
      problem: the statement, without instruction or template.
      answer: the right answer, bare: no `\boxed{}` or `$` around it.
      source: where it is from, such as "math500/algebra/level-2".
      solution: a worked solution, if there is one.
    """

    id: str
    problem: str
    answer: str
    source: str = ""
    solution: str | None = None
