"""Completions written down for people to read, with what the step made of each token."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from sage_jax.data.tasks import Task
from sage_jax.files import write_atomically
from sage_jax.learn.token_figures import TokenFigures
from sage_jax.parallel import hosts, local_rows
from sage_jax.rollout import Finish
from sage_jax.run.dynamic_sampling import Batch
from sage_jax.run.events import Event, StepDone
from sage_jax.run.pieces import pieces
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.writes import best_effort

_PROMPTS, _EACH = 8, 4  # Prompts written, and completions of each.


def is_due(step: int, *, every: int, last: int) -> bool:
    """Whether samples of a step are written, which is counted from 1."""
    return (step - 1) % every == 0 or step == last


class Samples:
    """A listener that writes samples where they are due: the first few groups of a step.

    A line is a completion: what it answers, its text and verdict, and, where the step looked at
    every token, `tokens` (texts that joined are the completion) with a figure each: `entropies`,
    `logps` and `ref_logps` in nats, `q`, and `advantages`, which is one number where all are equal.

    Of several processes only the first writes, of the groups that it holds.

    Args:
        folder: of the run.
        every: steps from one to the next.
        last: step after which some are written too.
    """

    def __init__(self, folder: RunFolder, *, every: int, last: int):
        self._folder, self._every, self._last = folder, every, last

    def __call__(self, event: Event) -> None:
        """Write those of a step."""
        if isinstance(event, StepDone) and hosts.is_main() and self._is_due(event.step):
            path = self._folder.samples_file(event.step)
            with best_effort(path):
                samples = samples_of(event, with_tokens=True)
                write_atomically(path, "".join(json.dumps(o) + "\n" for o in samples).encode())

    def _is_due(self, step: int) -> bool:
        return is_due(step, every=self._every, last=self._last)


def samples_of(event: StepDone, *, with_tokens: bool = False) -> list[dict[str, Any]]:
    """The samples of a step, each with the same columns, of the groups that this process holds.

    Args:
        event: the step.
        with_tokens: also what the step made of each token, if it looked.
    """
    batch, task = event.batch, event.task
    size = batch.rollout.group_size
    prompts = _unpadded(batch.rollout.prompt_tokens, batch.rollout.prompt_mask)
    completions = _unpadded(batch.rollout.tokens, batch.rollout.mask)
    figures = _by_row(event.figures) if with_tokens else {}
    rewards = batch.rewards.result().judged.rewards
    return [
        {
            "step": event.step,
            "id": batch.prompts.ids[group],
            "prompt": task.spell(prompts[group]),
            "completion": task.spell(completions[row]),
            **_verdict(batch, task, row),
            **_tokens(task, completions[row], figures, row),
        }
        for group in sorted(prompts)[:_PROMPTS]
        for row in group * size + shown(rewards[group * size :][:size])
    ]


def shown(rewards: np.ndarray) -> np.ndarray:
    """Places in a group of completions that are written: the first few, of unlike rewards if any.

    >>> shown(np.array([0.0, 0, 0, 0, 0, 1])).tolist()
    [0, 1, 2, 5]
    """
    places = np.arange(min(_EACH, len(rewards)))
    unlike = np.flatnonzero(rewards != rewards[0])
    if len(unlike) and unlike[0] > places[-1]:
        places[-1] = unlike[0]
    return places


def _unpadded(tokens: jax.Array, mask: jax.Array) -> dict[int, np.ndarray]:
    """The real tokens of every row that this process holds, by row."""
    rows, own = local_rows(tokens)
    kept = local_rows(mask)[1] > 0
    return {int(row): ids[keep] for row, ids, keep in zip(rows, own, kept, strict=True)}


def _by_row(figures: TokenFigures | None) -> Mapping[str, Mapping[int, np.ndarray]]:
    """Figures under the names they are written by, [T] of every row that this process holds."""
    if figures is None:
        return {}
    arrays = {
        "entropies": figures.entropies, "logps": figures.logps, "ref_logps": figures.ref_logps,
        "q": figures.log_q, "advantages": figures.advantages,
    }  # fmt: skip
    found = {name: local_rows(array) for name, array in arrays.items() if array is not None}
    return {
        name: dict(zip(rows.tolist(), np.exp(own) if name == "q" else own, strict=True))
        for name, (rows, own) in found.items()
    }


def _tokens(
    task: Task, ids: np.ndarray, figures: Mapping[str, Mapping[int, np.ndarray]], row: int
) -> dict[str, Any]:
    """What is written of the tokens of a completion; nothing where no figures are there."""
    if not figures:
        return {}
    own: dict[str, Any] = {
        name: [*_rounded(rows[row][: len(ids)])] for name, rows in figures.items()
    }
    if len({*own["advantages"]}) == 1:
        own["advantages"] = own["advantages"][0]
    return {"tokens": pieces(task.spell, ids), **own}


def _rounded(values: np.ndarray) -> Iterator[float | None]:
    """Four places; None in the place of what is no finite number, which JSON cannot say."""
    for value in values.tolist():
        yield round(value, 4) + 0.0 if np.isfinite(value) else None


def _verdict(batch: Batch, task: Task, row: int) -> dict:
    outcome = batch.rewards.result()
    judged = outcome.judged
    return {
        "reward": float(judged.rewards[row]),
        "reason": judged.reasons[row],
        "gold": task.gold(batch.prompts.ids[row // batch.rollout.group_size]),
        "finish": Finish(int(outcome.finish[row])).name.lower(),
    }
