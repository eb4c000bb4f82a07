"""The problems of a task as a run takes them: gathered, mended, and clean of what evaluates it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from sage_jax.data.cleaning import mend, without_evaluation
from sage_jax.data.gathering import gather
from sage_jax.data.mixed_task import MixedTask
from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import Split
from sage_jax.data.tasks import Setting, Task
from sage_jax.faults import ConfigError
from sage_jax.parts import REPAIRS, Part, TaskSpec, resolve


class Beside(NamedTuple):
    """Problems of other tasks that a task is evaluated on.

    Attributes:
        held_out: in the place of those that it holds out; None leaves them.
        others: that are not to be trained on either.
    """

    held_out: Sequence[Problem] | None = None
    others: Sequence[Problem] = ()


ALONE = Beside()


def read_task(
    part: Part,
    spec: TaskSpec,
    setting: Setting,
    *,
    to_train: bool = True,
    beside: Beside = ALONE,
    given: Mapping[str, Any] = MappingProxyType({}),
) -> Split | Task:
    """The problems of a task, or the task itself where it is no problems in words.

    Args:
        part: the task's function, with its arguments.
        spec: what the config says of it.
        setting: what the run gives it.
        to_train: refuse one in words that has problems to evaluate on alone.
        beside: what else it is evaluated on.
        given: to its function by name, where it asks, beside what all tasks are given.

    Raises:
        ConfigError: as `gather`, `mend` and `without_evaluation`; or one of the user's own gives
            other problems when it is called again, as a resumed run will.
    """
    options = {"held_out_share": spec.held_out_share, "to_train": to_train}
    given = {**_given(spec, setting), **given}
    found = _gathered(part, given, options | {"held_out": beside.held_out})
    if not isinstance(found, Split):
        if beside.held_out is not None and not isinstance(found, MixedTask):
            raise ConfigError(
                f"eval.held_out: {spec.use} judges by itself, and is evaluated on its own problems"
            )
        return found
    if not to_train:
        return found
    places = enumerate(spec.repairs)
    repairs = [resolve(one, REPAIRS, field=f"{part.field}.repairs.{n}") for n, one in places]
    mended = mend(found, repairs)
    clean = spec.decontaminate
    return without_evaluation(mended, beside.others, field=part.field, leave_out=clean)


def _gathered(part: Part, given: Mapping[str, Any], options: Mapping[str, Any]) -> Split | Task:
    """What the function gives; one of the user's own is called again."""
    found = gather(part, given, **options)
    if part.spec.is_foreign and isinstance(found, Split):
        again = gather(part, given, **options)
        if not isinstance(again, Split) or again.digest() != found.digest():
            raise ConfigError(
                f"{part.field}: {part.spec.use} gives other problems when it is called again, as a "
                "run that is resumed calls it: draw them by the `seed` that it may ask for"
            )
    return found


def _given(spec: TaskSpec, setting: Setting) -> dict[str, Any]:
    ours = ("seed", "tokenizer", "max_prompt_length", "max_completion_length")
    shared = {name: getattr(spec, name) for name in spec.shared()}
    return {name: getattr(setting, name) for name in ours} | shared
