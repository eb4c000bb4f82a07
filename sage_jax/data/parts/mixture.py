"""Several tasks in words as one."""

import contextlib
from collections.abc import Callable

from sage_jax.data.mixed_task import MixedTask, Source
from sage_jax.data.tasks import Task
from sage_jax.data.text_task import TextTask
from sage_jax.parts import SourceSpec


def mixture(
    *, of: tuple[SourceSpec, ...], seed: int, open_task: Callable[[SourceSpec, int], Task]
) -> MixedTask:
    """Several tasks in words by weight, each with its own prompt and reward.

    Each of `of` names a task and its arguments, as in `{use: jsonl, weight: 2, name: sums, ...}`,
    and beside them what may differ: `weight`, `name` (in metrics, `reward/NAME`), `system_prompt`,
    `instruction`, `prefix`, `reward`, `rates_file` and `curriculum`; by default the config's own.
    """
    if not of:
        raise ValueError("`of` names no source: give one task or more")
    with contextlib.ExitStack() as opened:
        sources = []
        for place, one in enumerate(of):
            task = open_task(one, place)
            opened.callback(task.close)
            if not isinstance(task, TextTask):
                raise ValueError(
                    f"{one.use} judges by itself: the sources of a mixture are tasks in words"
                )
            sources.append(Source(one.title, one.weight, task))
        made = MixedTask(sources, seed=seed)
        opened.pop_all()  # The mixture closes them from here on.
    return made
