"""Verdicts that were lost: written down, and too many of them end the run.

A verdict is lost where the verifier ran into its deadline or memory limit, or crashed. It scores 0
though the answer may be right, so that a run which goes on losing many learns what is not so.
"""

import itertools
import json
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

from sage_jax.data.tasks import Task
from sage_jax.files import write_atomically
from sage_jax.parallel import hosts, local_rows
from sage_jax.rewards import LOST
from sage_jax.run.dynamic_sampling import Batch
from sage_jax.run.events import Event, StepDone
from sage_jax.run.run_folder import RunFolder
from sage_jax.telling import UserError

RECENT = 1000
"""Verdicts that the share is taken of: the last steps that hold so many, or all so far."""

LEAST = 10
"""Lost verdicts among them below which no run is stopped, whatever their share."""


class LostVerdictsError(UserError, RuntimeError):
    """The verifier loses too many verdicts for the run to go on."""


class LostVerdicts:
    """A listener that counts over the steps of a run, and ends it where too many verdicts are lost.

    It ends when, of the verdicts of the last steps that hold at least `RECENT` (of all so far
    before that), more than `max_share` were lost, and at least `LEAST`. So one lost verdict of a
    small batch stops nothing, and a verifier that is broken stops a run within its first steps. A
    resumed run counts afresh. The completions of each step that lost any lie in
    `lost/step-XXXXXX.jsonl` of the run folder, also of those that stop nothing.

    Args:
        folder: of the run.
        max_share: of verdicts that may be lost; 1 never ends a run.
    """

    def __init__(self, folder: RunFolder, *, max_share: float):
        self._folder, self._max_share = folder, max_share
        self._steps: deque[tuple[int, int]] = deque()

    def __call__(self, event: Event) -> None:
        """Count the verdicts on all that a step sampled. A collective.

        Raises:
            LostVerdictsError: on every process, if too many are lost.
        """
        if not isinstance(event, StepDone):
            return
        reasons = [reason for batch in event.drawn for reason in _reasons(batch)]
        lost = Counter(reason for reason in reasons if reason in LOST)
        self._count(len(reasons), lost.total())
        if lost:
            path = self._folder.lost_file(event.step)
            _write(path, event)
            self._refuse_too_many(lost, path)

    def _count(self, judged: int, lost: int) -> None:
        self._steps.append((judged, lost))
        while sum(number for number, _ in self._steps) - self._steps[0][0] >= RECENT:
            self._steps.popleft()

    def _refuse_too_many(self, reasons: Counter[str], path: Path) -> None:
        judged, lost = map(sum, zip(*self._steps, strict=True))
        if lost < LEAST or lost <= self._max_share * judged:
            return
        why = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        raise LostVerdictsError(
            f"{lost} of the last {judged} verdicts were lost, more than task.max_lost "
            f"{self._max_share:g} of them (in this step: {why}); {path} holds the completions: see "
            "whether they are hostile or the machine has too little memory for task.num_workers"
        )


def _write(path: Path, event: StepDone) -> None:
    """Write down what all processes lost. A collective."""
    own = [row for batch in event.drawn for row in _rows(event.task, batch)]
    rows = list(itertools.chain(*hosts.gather(own)))
    if hosts.is_main():
        lines = [json.dumps({"step": event.step, **row}) + "\n" for row in rows]
        write_atomically(path, "".join(lines).encode())
    # An error on another process ends this one too, which first has to have written.
    hosts.barrier()


def _reasons(batch: Batch) -> list[str]:
    return batch.rewards.result().judged.reasons


def _rows(task: Task, batch: Batch) -> Iterator[dict[str, str]]:
    """Completions without a verdict among those this process holds, as `verify` reads them."""
    rollout, reasons = batch.rollout, _reasons(batch)
    if LOST.isdisjoint(reasons):
        return
    rows, own = local_rows(rollout.tokens)
    masks = local_rows(rollout.mask)[1]
    for row, tokens, mask in zip(rows, own, masks, strict=True):
        if reasons[row] in LOST:
            id = batch.prompts.ids[row // rollout.group_size]
            completion = task.judged_text(tokens[mask > 0], id)
            yield {
                "id": id,
                "gold": task.gold(id),
                "completion": completion,
                "reason": reasons[row],
            }
