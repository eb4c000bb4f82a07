"""What a run will see, before it starts: problems, what was left out and why, lengths, prompts."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sage_jax import config as configs
from sage_jax import models, setup
from sage_jax.config import ConfigError
from sage_jax.data.mixed_task import MixedTask
from sage_jax.data.problem_set import Split
from sage_jax.data.tasks import Task
from sage_jax.data.text_task import TextTask

_SHOWN, _BINS, _WIDTH = 5, 12, 40


def preview(config: configs.Config, terminal: Console, *, prompts: int = 3) -> None:
    """Print what a run will see. No weights are read.

    Args:
        config: of the run.
        terminal: where to.
        prompts: how many are shown whole.

    Raises:
        ConfigError, DataError, ModelError: as the run would.
    """
    if prompts < 0:
        raise ConfigError(f"--prompts is {prompts}; show 0 or more")
    random = config.model.source == "random"
    described = None if random else models.describe(config.model.source)
    with contextlib.closing(setup.open_task(config, described)) as task:
        tasks = _in_words(config, task)
        if not tasks:
            terminal.print(*_tokens(config, task, prompts), sep="\n")
            return
        table = Table("", "problems", "longer than the limit", "prompt tokens, median and most")
        for source, one in tasks.items():
            for name, part in zip(("to train on", "held out"), one.shown, strict=True):
                told = f"{source}: {name}" if len(tasks) > 1 else name
                table.add_row(told, *_figures([len(ids) for _, ids in part.prompts], part.dropped))
        for place, suite in enumerate(config.eval.suites):
            with contextlib.closing(setup.open_suite(config, described, place)) as other:
                table.add_row(f"suite {suite.title}", *_of_suite(_in_words(config, other)))
        terminal.print(Text(f"{config.name}: task {config.task.use}", style="bold"), table)
        for source, one in tasks.items():
            if len(tasks) > 1:
                terminal.print(Rule(source, style="bold"))
            told = [*_left_out(one.problems), *_lengths(config, one), *_prompts(one, prompts)]
            terminal.print(*told, sep="\n")


def _in_words(config: configs.Config, task: Task) -> dict[str, TextTask]:
    """The tasks in words that a task is of, by name; none of one of tokens."""
    if isinstance(task, MixedTask):
        return {one.name: one.task for one in task.sources}
    return {config.task.label: task} if isinstance(task, TextTask) else {}


def _figures(lengths: Sequence[int], dropped: int) -> list[str]:
    if not lengths:
        return ["0", str(dropped), ""]
    return [f"{len(lengths):,}", f"{dropped:,}", f"{np.median(lengths):.0f}, {max(lengths)}"]


def _of_suite(tasks: Mapping[str, TextTask]) -> list[str]:
    if not tasks:
        return ["drawn", "", ""]
    parts = [task.shown[1] for task in tasks.values()]
    lengths = [len(ids) for part in parts for _, ids in part.prompts]
    return _figures(lengths, sum(part.dropped for part in parts))


def _left_out(problems: Split) -> Iterator[RenderableType]:
    """Rows that could not be read, what repairs touched, and what is evaluated on too."""
    for one in problems.dropped:
        yield f"left out: {one.count:,}, {one.reason}"
        yield from _listed(one.shown, one.count)
    for one in problems.mended:
        yield f"repair {one.repair}: {len(one.ids):,} problems to train on"
        if one.ids:
            yield from _listed([", ".join(one.ids[:_SHOWN])], len(one.ids) - _SHOWN + 1)
    found = problems.contaminated
    ids, trained = {one.id for one in found}, {one.id for one in problems.train}
    if found:
        what = "trained on, and" if ids & trained else "left out:"
        yield f"{what} {len(ids):,} evaluated on too (task.decontaminate)"
        pairs = [f"{o.id} is {o.evaluation_id} ({o.reason} {o.containment:.2f})" for o in found]
        yield from _listed(pairs[:_SHOWN], len(pairs))
    elif not problems.distinct:
        yield "none of them is evaluated on too, as far as words tell"


def _listed(shown: Sequence[str], count: int) -> Iterator[RenderableType]:
    for text in shown:
        yield Padding(Text(text), (0, 0, 0, 2))
    if count > len(shown):
        yield Padding(f"... and {count - len(shown):,} more", (0, 0, 0, 2))


def _lengths(config: configs.Config, task: TextTask) -> Iterator[RenderableType]:
    """Prompts to train on by their length in tokens, as bars."""
    lengths = np.array([len(ids) for _, ids in task.shown[0].prompts])
    least = lengths.min()
    step = -(-(lengths.max() - least + 1) // _BINS)
    counts = np.bincount((lengths - least) // step)
    limit = config.rollout.max_prompt_length
    yield Rule(f"tokens of a prompt; the limit is {limit}", align="left")
    for place, count in enumerate(counts):
        first = least + place * step
        bar = "█" * round(_WIDTH * count / counts.max()) or ("▏" if count else "")
        yield Text(f"{first:>6}-{first + step - 1:<6} {count:>7,} {bar}")


def _prompts(task: TextTask, count: int) -> Iterator[RenderableType]:
    """Some prompts as the model gets them."""
    chosen = task.shown[0].prompts
    places = np.linspace(0, len(chosen) - 1, min(count, len(chosen))).astype(int)
    for problem, ids in (chosen[place] for place in places):
        yield Rule(f"{problem.id}, answer {problem.answer}", align="left")
        yield Text(task.written(ids))
    yield Rule(f"a completion ends with {' or '.join(task.ends)}", align="left")


def _tokens(config: configs.Config, task: Task, count: int) -> Iterator[RenderableType]:
    """Of a task of tokens, which draws its problems."""
    yield Text(f"{config.name}: task {config.task.use}, drawn by the seed", style="bold")
    batch = task.train_prompts(0, count)
    for place, id in enumerate(batch.ids):
        asked = task.spell(batch.tokens[place][batch.mask[place]])
        yield Text(f"{id}: {asked}   answer {task.gold(id) or 'judged by the task'}")
