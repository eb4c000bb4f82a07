"""The problem: a question with an answer that can be verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sage_jax.telling import OneLine, UserError


class DataError(OneLine, UserError):
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
        extra: further columns of its source, by name, for rewards that ask for them. Shared by all
            who read the problem, so not to be changed; counts for equality, not for the hash.
    """

    id: str
    problem: str
    answer: str
    source: str = ""
    solution: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __repr__(self) -> str:
        """As of any dataclass; `extra` only where there is some, since runs are known by this."""
        names = [one.name for one in fields(self) if one.name != "extra" or self.extra]
        return f"Problem({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"
