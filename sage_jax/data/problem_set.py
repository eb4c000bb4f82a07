"""Sets of problems: as a task's function may give them, and as a task reads them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sage_jax.data.decontaminate import Removed
from sage_jax.data.problem import Problem

Worked = Callable[[Problem, int], str | None]
"""(problem, draw) -> a worked completion of it, or None if there is none."""

Mode = Callable[[Problem, str], str]
"""(problem, completion that is right) -> the name of the way in which it is."""

Asked = Problem | Mapping[str, Any] | str
"""A problem, its fields, or its statement alone."""


class Mended(NamedTuple):
    """Training problems that a repair changed or left out.

    Attributes:
        repair: its name.
        ids: of the problems.
    """

    repair: str
    ids: tuple[str, ...]


class Dropped(NamedTuple):
    """Rows that were left out.

    Attributes:
        reason: why, with the file or data set they come from.
        count: how many.
        shown: some of them, each with its place and what is wrong.
    """

    reason: str
    count: int
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProblemSet:
    """What a task's function gives where problems alone do not say everything.

    Attributes:
        train: problems to train on; where `held_out` is None a share of them is held out.
        held_out: problems to evaluate on.
        worked: demonstrations for a supervised warm-up; by default each problem's `solution`.
        reward: of configs that name none: as their `reward` would say it (`"number"`,
            `{"use": "my_tasks:close", "tolerance": 0.1}`, a list of them), or a function.
        mode: tells ways of being right apart, see `Judged.modes`; None where there is one.
        dropped: what was left out of its sources on the way here, for `sage-jax data` to tell.
        distinct: that no problem to train on is one that is evaluated on, as of problems that are
            drawn so: then nobody looks for such.
    """

    train: Iterable[Asked]
    held_out: Iterable[Asked] | None = None
    worked: Worked | None = None
    reward: Any = None
    mode: Mode | None = None
    dropped: Sequence[Dropped] = ()
    distinct: bool = False


class Split(NamedTuple):
    """Problems that were read, each in one of two parts.

    Attributes:
        train: to train on.
        held_out: to evaluate on.
        worked: demonstrations.
        reward: as in `ProblemSet`.
        mode: as in `ProblemSet`.
        dropped: as in `ProblemSet`.
        distinct: as in `ProblemSet`.
        mended: what repairs touched, in their order.
        contaminated: training problems that stand in an evaluation set; left out, unless the task
            says `decontaminate: false`.
        weights: of the problems to train on, see `order.weighted_indices`; None draws all alike.
    """

    train: Sequence[Problem]
    held_out: Sequence[Problem]
    worked: Worked = lambda problem, draw: problem.solution
    reward: Any = None
    mode: Mode | None = None
    dropped: Sequence[Dropped] = ()
    distinct: bool = False
    mended: Sequence[Mended] = ()
    contaminated: Sequence[Removed] = ()
    weights: Sequence[float] | None = None

    def digest(self) -> str:
        """By which the problems of two processes, or of two calls, are compared."""
        parts = [[digest_of(one) for one in part] for part in self[:2]]
        weights = None if self.weights is None else [*map(float, self.weights)]
        return hashlib.sha256(json.dumps([parts, weights]).encode()).hexdigest()[:12]


def digest_of(problem: Problem) -> str:
    """By which a problem is known again, with all of its columns."""
    row = vars(problem) | {"extra": dict(problem.extra)}
    # Of a value that is no JSON its type counts: its text may hold an address.
    told = json.dumps(row, skipkeys=True, default=lambda value: type(value).__name__)
    return hashlib.sha256(told.encode()).hexdigest()


def is_held_out(problem: Problem, *, share: float) -> bool:
    """Whether a problem is among the `share` that is held out: its statement's SHA-256 says so.

    The same under any seed, in any order and whatever is added; statements that differ in white
    space alone fall on the same side.
    """
    digest = hashlib.sha256(" ".join(problem.problem.split()).encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
