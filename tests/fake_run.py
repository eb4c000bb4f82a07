"""A run whose model, steps and evaluations are a few numbers; loop, files and checkpoints are real.

For tests of what the loop does with a fault. Which numbers come out tells whether every step was
done once, from the state that the one before it left.
"""

import contextlib
import functools
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from runs import entries

from sage_jax import cli, paths
from sage_jax import config as configs
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.evaluate import EvalResult
from sage_jax.evaluate.results import ProblemResult
from sage_jax.learn.non_finite import NonFinite
from sage_jax.learn.placement import shapes
from sage_jax.learn.state import TrainState
from sage_jax.rollout import Rollout
from sage_jax.run import loop, measures, orbax_noise
from sage_jax.run.checkpoint import Checkpoints
from sage_jax.run.dynamic_sampling import Batch
from sage_jax.run.judging import Outcome, Pending
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.session import Session
from sage_jax.run.step import Taken
from sage_jax.run.stop import StopRequest

GROUPS, SIZE, LENGTH = 2, 2, 3


class Task:
    """What the loop asks of a task."""

    def gold(self, id):
        return id

    def spell(self, tokens):
        return " ".join(map(str, np.asarray(tokens).tolist()))

    def close(self):
        pass


def opens(config, folder, stop, *, opened, emit, step=None) -> Session:
    """As `open_session`; `step` in the place of the one below."""
    learner: Any = SimpleNamespace(
        layout=shapes(first_state()), decoder=lambda trained: (None, trained["w"])
    )
    task: Any = Task()
    opened(task)
    return Session(
        config, folder, task, learner, step or take_step, evaluate, first_state,
        lambda updates: 1e-3, (None, jnp.zeros(3)), stop, task.close,
    )  # fmt: skip


train = functools.partial(loop.train, opens=opens)
"""`loop.train` of these numbers."""


def main(path: str, place: str) -> None:
    """`sage-jax train PATH --run_dir PLACE` of these numbers."""
    orbax_noise.mute()
    folder = RunFolder(paths.reach(paths.as_path(place)))
    cli.reported(lambda _: train(configs.load(path), folder, StopRequest()), [])


def first_state() -> TrainState:
    w = jnp.asarray(np.linspace(0, 1, 4096, dtype=np.float32))
    return TrainState({"w": w}, {"mu": jnp.zeros_like(w)}, jnp.int32(0))


@jax.jit
def _advance(state: TrainState, step: jax.Array) -> TrainState:
    gradient = jnp.sin(state.trained["w"] + step.astype(jnp.float32))
    mu = 0.9 * state.opt_state["mu"] + gradient
    return TrainState({"w": state.trained["w"] - 0.01 * mu}, {"mu": mu}, state.updates + 1)


def take_step(state: TrainState, step: int, cursor: int) -> Taken:
    """As `Step` takes one; one batch of prompts a step."""
    state, batch = _advance(state, jnp.int32(step)), _batch(cursor)
    metrics = {
        "loss": float(state.trained["w"].sum()),
        "grad_norm": float(jnp.abs(state.opt_state["mu"]).max()),
        "updates/skipped": 0.0,
        **measures.of_samples(batch.rewards.result(), SIZE),
    }
    none: Any = NonFinite(-1, -1)  # type: ignore[arg-type]
    return Taken(state, metrics, none, batch, [batch])


def _batch(cursor: int) -> Batch:
    rows = GROUPS * SIZE
    ones = jnp.ones((rows, LENGTH), jnp.float32)
    rewards = np.array([(cursor + row) % 2 for row in range(rows)], np.float32)
    reasons = ["correct" if reward else "wrong" for reward in rewards]
    judged = Judged(rewards, rewards > 0, [""] * rows, reasons)
    outcome = Outcome(judged, np.full(rows, LENGTH), np.ones(rows, int))
    prompts = np.full((GROUPS, 2), cursor, np.int32)
    rollout = Rollout(
        prompt_tokens=jnp.asarray(prompts), prompt_mask=jnp.asarray(prompts >= 0),
        tokens=ones.astype(jnp.int32), mask=ones, logps=-ones, finish=jnp.ones(rows, jnp.int32),
    )  # fmt: skip
    names = [f"{cursor}-{group}" for group in range(GROUPS)]
    return Batch(Prompts(names, prompts, prompts >= 0), rollout, Pending(lambda: outcome))


def evaluate(model, asked, *, folder=None, progress=None) -> EvalResult:
    """As `evaluation.evaluate_model` would; how many are right follows from the weights."""
    if progress:
        progress(0, 1)
    count = asked.num_samples
    right = int(np.abs(np.asarray(model[1])).sum() * 1000) % (count + 1)
    problems = tuple(ProblemResult(str(place), right, count) for place in range(2))
    return EvalResult(asked.tag, asked.step, "fake", count, 0, 1.0, problems, LENGTH, 0.0)


def newest(folder) -> tuple[int, TrainState]:
    """(step, state) of a run's newest whole checkpoint."""
    checkpoints = Checkpoints(folder.checkpoints, keep=100)
    with contextlib.closing(checkpoints):
        found = checkpoints.restore_newest(shapes(first_state()), say=lambda _: None)
    assert found is not None
    return found[0], found[1]


def assert_same(left, right) -> None:
    """Two finished runs are the same in all but what clocks say."""
    assert entries(left) == entries(right)
    (step, state), (other_step, other) = newest(left), newest(right)
    assert step == other_step == entries(left)[-1]["step"]
    jax.tree.map(np.testing.assert_array_equal, state, other)
    for tag in ("base", "final"):
        assert EvalResult.load(left.eval_file(tag)) == EvalResult.load(right.eval_file(tag))
