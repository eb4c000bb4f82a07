"""Several tasks in words as one."""

from collections.abc import Callable, Sequence

from sage_jax.data.mixed_task import MixedTask, Source
from sage_jax.data.tasks import Task
from sage_jax.data.text_task import TextTask
from sage_jax.parts import SourceSpec


def mixture(
    *,
    of: tuple[SourceSpec, ...],
    seed: int,
    open_sources: Callable[[Sequence[SourceSpec]], list[Task]],
) -> MixedTask:
    """Several tasks in words by weight, each with its own prompt and reward.

    Each of `of` names a task and its arguments, as in `{use: jsonl, weight: 2, name: sums, ...}`,
    and beside them what may differ: `weight`, `name` (in metrics, `reward/NAME`), `system_prompt`,
    `instruction`, `prefix`, `reward`, `rates_file` and `curriculum`; by default the config's own.
    """
    if not of:
        raise ValueError("`of` names no source: give one task or more")
    tasks = open_sources(of)
    try:
        return MixedTask([*map(_source, of, tasks)], seed=seed)
    except BaseException:
        for task in tasks:
            task.close()
        raise


def _source(spec: SourceSpec, task: Task) -> Source:
    if not isinstance(task, TextTask):
        raise ValueError(
            f"{spec.use} judges by itself: the sources of a mixture are tasks in words"
        )
    return Source(spec.title, spec.weight, task)
