"""The loop: the only place that owns time and files."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.learn.learner import Learner
from sage_jax.learn.state import TrainState
from sage_jax.parallel import hosts
from sage_jax.train import inputs, measures, samples, setup
from sage_jax.train.bad_steps import BadSteps, refuse_bad_weights
from sage_jax.train.checkpoint import Checkpoints
from sage_jax.train.console import Console, announce, tell
from sage_jax.train.evaluation import evaluate_model
from sage_jax.train.journal import Journal
from sage_jax.train.longer import continued, retitle_final
from sage_jax.train.lost import LostVerdicts
from sage_jax.train.run_folder import RunFolder
from sage_jax.train.stages import Say, compiling, stage
from sage_jax.train.standstill import Standstill
from sage_jax.train.step import Step, Taken
from sage_jax.train.stop import StopRequest
from sage_jax.train.warmup import open_and_warm_up
from sage_jax.train.watchdog import Watchdog
from sage_jax.train.writes import spared


@dataclasses.dataclass(frozen=True)
class Session:
    """One run while it goes on: what all parts of the loop look at."""

    config: configs.Config
    folder: RunFolder
    base: setup.Base
    learner: Learner
    learning_rate: optax.Schedule
    checkpoints: Checkpoints
    stop: StopRequest
    watchdog: Watchdog


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a run stands.

    Attributes:
        state: trained arrays and the optimiser's.
        done: steps done.
        cursor: batches of prompts drawn.
        elapsed: seconds that those steps took.
    """

    state: TrainState
    done: int
    cursor: int
    elapsed: float


def train(config: configs.Config, folder: RunFolder, stop: StopRequest) -> None:
    """Run a config in a folder from wherever it stands there to its end.

    Raises:
        ConfigError: if the config does not fit the folder, the model or the devices.
        InputError: if problems or weights are others than the run in the folder began with.
        LostVerdictsError: if the verifier loses more than `task.max_lost` of its verdicts.
        Stopped: if asked to stop; calling again goes on.
    """
    config = continued(config, folder)
    folder.refuse_drift(config)
    seen = inputs.refuse_others(config, folder)

    def opened() -> None:
        inputs.keep(config, folder, seen)
        folder.write_config(config)

    base = open_and_warm_up(config, folder, stop, opened=opened)
    try:
        inputs.keep(config, folder, seen)  # Now with the base that a warm-up made.
        _evaluate_base(config, folder, base, stop)
        _learn(config, folder, base, stop)
    finally:
        base.task.close()


def _learn(config: configs.Config, folder: RunFolder, base: setup.Base, stop: StopRequest) -> None:
    learner, state = setup.start(config, base, jax.random.key(config.seed))
    checkpoints = Checkpoints(folder.checkpoints, keep=config.train.keep_checkpoints)
    watchdog = Watchdog(folder.stalls_file, at_least_s=config.train.stall_s)
    rate = setup.learning_rate(config)
    session = Session(config, folder, base, learner, rate, checkpoints, stop, watchdog)
    retitle_final(folder, config.train.steps)
    with contextlib.closing(checkpoints), watchdog:
        position = _resume(session, state)
        del state
        position = _steps(session, position)
        checkpoints.wait()
        if not _evaluated(folder, "final", config.train.steps):
            _evaluate(session, position, "final", config.eval.num_samples)


def _resume(session: Session, state: TrainState) -> Position:
    """The newest whole checkpoint in the place of a fresh state, or the fresh state if none."""
    if session.checkpoints.latest() is None:
        if session.folder.metrics_file.is_file():
            tell(f"{session.folder.checkpoints}: no checkpoint; training begins at step 1 again")
        return Position(state, 0, 0, 0.0)
    # The fresh arrays make room first: weights and moments would not fit twice.
    jax.tree.map(lambda x: x.delete(), state)
    found = session.checkpoints.restore_newest(session.learner.layout, say=tell, set_aside=True)
    assert found is not None
    done, state, notes = found
    announce(f"going on after step {done} of {session.config.train.steps}")
    return Position(state, done, notes["cursor"], notes["elapsed"])


def _steps(session: Session, position: Position) -> Position:
    """All steps that are left, with what is due between them."""
    config, total = session.config, session.config.train.steps
    step = setup.make_step(config, session.base, session.learner)
    first = position.done
    console = Console(config.name, total, done=position.done, line_every=max(1, total // 20))
    lost = LostVerdicts(session.folder, session.base.task, max_share=config.task.max_lost)
    with Journal(session.folder.metrics_file, done=position.done) as journal, console:
        if session.base.why:
            console.say(session.base.why)
        _evaluate_on_the_way(session, position, console.say)
        bad = BadSteps(session.folder, limit=config.train.max_bad_steps)
        standstill = Standstill(config, journal.before, tell)
        while position.done < total:
            with session.watchdog.phase("step"), compiling(position.done == first, console.say):
                position, taken, entry = _one_step(session, step, position)
            journal.write(entry)
            console.step(position.done, entry)
            standstill.see(position.done, entry)
            lost.see(position.done, taken.drawn)
            bad.look(position.done, taken)
            with session.watchdog.phase("samples and checkpoint"):
                _keep(session, position, taken)
            _evaluate_on_the_way(session, position, console.say)
    return position


def _one_step(session: Session, step: Step, position: Position) -> tuple[Position, Taken, dict]:
    begun = time.perf_counter()
    taken = step(position.state, position.done, position.cursor)
    rate = np.asarray(session.learning_rate(taken.state.updates - 1)).item()
    done, elapsed = position.done + 1, position.elapsed + time.perf_counter() - begun
    entry = {"step": done, "time": elapsed, **taken.metrics, "learning_rate": rate}
    position = Position(taken.state, done, position.cursor + len(taken.drawn), elapsed)
    return position, taken, entry | measures.of_memory()


def _keep(session: Session, position: Position, taken: Taken) -> None:
    """Write samples and a checkpoint where they are due, and leave if asked to."""
    knobs, done = session.config.train, position.done
    last, leaving = done == knobs.steps, session.stop.asked()
    if hosts.is_main() and ((done - 1) % knobs.sample_every == 0 or last):
        path = session.folder.samples_file(done)
        with spared(path):
            samples.write(path, done, taken.batch, session.base.task)
    if done % knobs.checkpoint_every == 0 or last or leaving:
        refuse_bad_weights(done, position.state)
        notes = {"cursor": position.cursor, "elapsed": position.elapsed}
        session.checkpoints.save(done, position.state, notes)
    if leaving:
        session.checkpoints.wait()
        raise session.stop.stopped()


def _evaluate_on_the_way(session: Session, position: Position, say: Say) -> None:
    """The evaluation due at this step, also where a run was ended between the step and it."""
    every, done = session.config.train.eval_every, position.done
    due = every and done and done % every == 0 and done < session.config.train.steps
    tag = f"step-{done:06d}"
    if due and not _evaluated(session.folder, tag, done):
        _evaluate(session, position, tag, session.config.eval.num_samples_during, say)


def _evaluated(folder: RunFolder, tag: str, step: int) -> bool:
    path = folder.eval_file(tag)
    # The first process may be quicker to write it than another one to look.
    return hosts.agree(path.is_file() and EvalResult.load(path).step == step)


def _evaluate(
    session: Session, position: Position, tag: str, num_samples: int, say: Say = announce
) -> None:
    # What training needs is on disk or will be done again, so that leaving here costs little.
    with session.watchdog.phase(f"evaluation of {num_samples} samples"):
        _evaluate_and_save(
            session.config, session.folder, session.base,
            session.learner.decoder(position.state.trained),
            tag=tag, step=position.done, num_samples=num_samples, say=say,
            leave=lambda: session.stop.leave_if_asked(session.checkpoints.wait),
        )  # fmt: skip


def _evaluate_base(
    config: configs.Config, folder: RunFolder, base: setup.Base, stop: StopRequest
) -> None:
    """Evaluate the model before training."""
    if not _evaluated(folder, "base", 0):
        _evaluate_and_save(
            config, folder, base, (base.loaded.graphdef, base.loaded.params),
            tag="base", step=0, num_samples=config.eval.num_samples, say=announce,
            leave=lambda: stop.leave_if_asked(lambda: None),
        )  # fmt: skip


def _evaluate_and_save(
    config: configs.Config, folder: RunFolder, base: setup.Base, model: tuple[Any, Any], *,
    tag: str, step: int, num_samples: int, say: Say, leave: Callable[[], None],
) -> None:  # fmt: skip
    problems = config.eval.num_problems
    title = f"evaluating {tag}: {problems} problems, {num_samples} samples of each"
    with stage(title, say) as told:
        result = evaluate_model(
            config, base, model, tag=tag, step=step, num_samples=num_samples,
            progress=told.leaving(leave),
        )  # fmt: skip
    if hosts.is_main():
        result.save(folder.eval_file(tag))
