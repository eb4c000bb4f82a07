"""Parts that stand inside of a task: curriculum, rewards, the sources of a mixture."""

from collections.abc import Iterator

import pydantic

from sage_jax.parts.room import Room
from sage_jax.parts.rooms import CURRICULA, REWARDS, TASKS
from sage_jax.parts.spec import SourceSpec, Spec, SuiteSpec

MIXTURE = "mixture"
_SOURCES = pydantic.TypeAdapter(tuple[SourceSpec, ...])


def within(field: str, task: Spec) -> Iterator[tuple[str, Spec, Room]]:
    """A task and every part that is named inside of it: field, what stands there, and its room."""
    yield field, task, TASKS
    curriculum = getattr(task, "curriculum", None)
    if isinstance(curriculum, Spec):
        yield f"{field}.curriculum", curriculum, CURRICULA
    if isinstance(task, SuiteSpec):
        yield from ((f"{field}.reward.{n}", one, REWARDS) for n, one in enumerate(task.reward))
    for place, source in enumerate(sources_of(task)):
        yield from within(f"{field}.of.{place}", source)


def sources_of(task: Spec) -> tuple[SourceSpec, ...]:
    """What a mixture is of; none of another task, and of one that does not say it as it should.

    What is wrong is told where the arguments of `mixture` are checked.
    """
    if task.use != MIXTURE:
        return ()
    try:
        return _SOURCES.validate_python(tuple(task.options.get("of", ())))
    except (pydantic.ValidationError, TypeError):
        return ()
