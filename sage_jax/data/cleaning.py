"""Training problems cleaned: known damage mended, and what stands in an evaluation set left out."""

from collections.abc import Sequence

from sage_jax.data.decontaminate import decontaminate
from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import Mended, Split
from sage_jax.faults import ConfigError
from sage_jax.parts import Part
from sage_jax.telling import brief


def mend(split: Split, repairs: Sequence[Part]) -> Split:
    """Repair the training problems; those held out stay as they were published.

    Raises:
        ConfigError: a repair of the user's own fails or gives something else, or leaves no problem.
    """
    for repair in repairs:
        with repair.explained():
            found = repair.function(split.train, **repair.options)
            problems, touched = [*found[0]], [*found[1]]
        if not problems or not all(isinstance(one, Problem) for one in problems):
            raise ConfigError(
                f"{repair.field}: {repair.spec.use} gives {brief(problems[:1])}; (problems, ids of "
                "those it touched) are needed, and one problem at least"
            )
        mended = (*split.mended, Mended(repair.spec.label, tuple(touched)))
        split = split._replace(train=problems, mended=mended)
    return split


def without_evaluation(
    split: Split, others: Sequence[Problem], *, field: str, leave_out: bool = True
) -> Split:
    """Find training problems that stand in the held-out part or among `others`.

    Args:
        split: the problems.
        others: further problems that are evaluated on.
        field: of the config, that names the task.
        leave_out: leave them out; else they are only told.

    Raises:
        ConfigError: none would be left.
    """
    if split.distinct or not split.train:
        return split
    # A set may be held out and be one of the suites, too.
    evaluation = {(one.id, one.problem): one for one in (*split.held_out, *others)}
    kept, removed = decontaminate(split.train, [*evaluation.values()])
    split = split._replace(contaminated=tuple(removed))
    if not leave_out:
        return split
    if not kept:
        raise ConfigError(
            f"{field}: all {len(split.train)} problems to train on stand in an evaluation set "
            f"too, as {removed[0].id!r} in {removed[0].evaluation_id!r}: name other ones, or set "
            f"{field}.decontaminate false"
        )
    return split._replace(train=kept)
