"""The loop: the only place that owns time and files."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from sage_jax import config as configs
from sage_jax.data.tasks import Task
from sage_jax.evaluate import EvalResult
from sage_jax.learn.state import TrainState
from sage_jax.parallel import hosts
from sage_jax.run import events, inputs, measures
from sage_jax.run.bad_steps import refuse_bad_weights
from sage_jax.run.checkpoint import Checkpoints
from sage_jax.run.console import log, warn
from sage_jax.run.contaminated import keep_contaminated
from sage_jax.run.evaluation import Asked
from sage_jax.run.journal import read_history
from sage_jax.run.kept_warnings import kept_warnings
from sage_jax.run.listeners import make_listeners
from sage_jax.run.longer import continued, retitle_final
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.session import Emit, Session, open_session
from sage_jax.run.shared_base import shared_base
from sage_jax.run.stages import compiling, stage
from sage_jax.run.stop import StopRequest


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


def train(
    config: configs.Config,
    folder: RunFolder,
    stop: StopRequest,
    *,
    opens: Callable[..., Session] = open_session,
) -> None:
    """Run a config in a folder from wherever it stands there to its end.

    Args:
        config: of the run.
        folder: of the run.
        stop: whether to stop.
        opens: puts the run together, as `open_session` does.

    Raises:
        ConfigError: if the config does not fit the folder, the model or the devices.
        InputError: if problems or weights are others than the run in the folder began with.
        LostVerdictsError: if the verifier loses more than `task.max_lost` of its verdicts.
        Stopped: if asked to stop; calling again goes on.
    """
    with kept_warnings(folder.warnings_file, ready=folder.exists):
        _train(config, folder, stop, opens)


def _train(
    config: configs.Config, folder: RunFolder, stop: StopRequest, opens: Callable[..., Session]
) -> None:
    config = continued(config, folder)
    folder.refuse_drift(config)
    emit = make_listeners(config, folder)
    seen = inputs.refuse_others(config, folder)

    def opened(task: Task) -> None:
        inputs.keep(config, folder, seen, inputs.refuse_other_problems(folder, task))
        folder.write_config(config)
        keep_contaminated(task, folder)
        emit(events.Started(config, folder.path))

    try:
        session = opens(config, folder, stop, opened=opened, emit=emit)
        with contextlib.closing(session):
            inputs.keep(config, folder, seen)  # Now with the base that a warm-up made.
            _run(session, emit)
    except BaseException as error:
        emit(events.Stopped(error))
        raise
    emit(events.Stopped(None))


def _run(session: Session, emit: Emit) -> None:
    """Evaluate the base, learn from wherever the run stands, and evaluate the end."""
    folder, config = session.folder, session.config
    if not _evaluated(folder, "base", 0):
        _evaluate_base(session, emit)
    retitle_final(folder, config.train.steps)
    keep = config.train.keep_checkpoints
    with contextlib.closing(Checkpoints(folder.checkpoints, keep=keep)) as checkpoints:
        position = _resumed(session, checkpoints)
        history = read_history(folder.metrics_file, done=position.done)
        emit(events.TrainingStarted(position.done, config.train.steps, history))
        if session.why:
            log(session.why)
        position = _steps(session, emit, checkpoints, position)
        emit(events.PhaseStarted("last checkpoint", position.done))
        checkpoints.wait()
        if not _evaluated(folder, "final", config.train.steps):
            _evaluate_during(session, emit, checkpoints, position, "final")


def _resumed(session: Session, checkpoints: Checkpoints) -> Position:
    """The newest whole checkpoint in the place of a fresh state, or the fresh state if none."""
    state = session.first_state()
    if checkpoints.latest() is None:
        if session.folder.metrics_file.is_file():
            warn(f"{session.folder.checkpoints}: no checkpoint; training begins at step 1 again")
        return Position(state, 0, 0, 0.0)
    # The fresh arrays make room first: weights and moments would not fit twice.
    jax.tree.map(lambda x: x.delete(), state)
    found = checkpoints.restore_newest(session.learner.layout, say=warn, set_aside=True)
    assert found is not None
    done, state, notes = found
    log(f"going on after step {done} of {session.config.train.steps}")
    return Position(state, done, notes["cursor"], notes["elapsed"])


def _steps(session: Session, emit: Emit, checkpoints: Checkpoints, position: Position) -> Position:
    """All steps that are left, with what is due between them."""
    first, options = position.done, session.config.train
    _evaluate_if_due(session, emit, checkpoints, position)
    while position.done < options.steps:
        emit(events.PhaseStarted("step", position.done))
        position = _step(session, emit, position, is_first=position.done == first)
        emit(events.PhaseStarted("samples and checkpoint", position.done))
        _save(session, emit, checkpoints, position)
        _evaluate_if_due(session, emit, checkpoints, position)
    return position


def _step(session: Session, emit: Emit, position: Position, *, is_first: bool) -> Position:
    begun = time.perf_counter()
    with compiling(is_first, log):
        taken = session.step(position.state, position.done, position.cursor)
    rate = np.asarray(session.learning_rate(taken.state.updates - 1)).item()
    done, elapsed = position.done + 1, position.elapsed + time.perf_counter() - begun
    metrics = {"step": done, "time": elapsed, **taken.metrics, "learning_rate": rate}
    metrics |= measures.of_memory()
    state, _, non_finite, batch, drawn, figures = taken
    emit(events.StepDone(done, metrics, batch, drawn, state, non_finite, session.task, figures))
    return Position(state, done, position.cursor + len(drawn), elapsed)


def _save(session: Session, emit: Emit, checkpoints: Checkpoints, position: Position) -> None:
    """Save a checkpoint where it is due, and leave if asked to."""
    options, done = session.config.train, position.done
    leaving = session.stop.asked()
    if done % options.checkpoint_every == 0 or done == options.steps or leaving:
        refuse_bad_weights(done, position.state)
        notes = {"cursor": position.cursor, "elapsed": position.elapsed}
        checkpoints.save(done, position.state, notes)
        emit(events.CheckpointSaved(done, session.folder.checkpoints / str(done)))
    if leaving:
        checkpoints.wait()
        raise session.stop.stopped()


def _evaluate_if_due(
    session: Session, emit: Emit, checkpoints: Checkpoints, position: Position
) -> None:
    """The evaluation due at this step, also where a run was ended between the step and it."""
    options, done = session.config.train, position.done
    due = options.eval_every and done and done % options.eval_every == 0 and done < options.steps
    tag = f"step-{done:06d}"
    if due and not _evaluated(session.folder, tag, done):
        _evaluate_during(session, emit, checkpoints, position, tag)


def _evaluated(folder: RunFolder, tag: str, step: int) -> bool:
    path = folder.eval_file(tag)
    # The first process may be quicker to write it than another one to look.
    return hosts.agree(path.is_file() and EvalResult.load(path).step == step)


def _evaluate_base(session: Session, emit: Emit) -> None:
    if (known := shared_base(session.config, session.folder)) is not None:
        log("the base: as another arm found it")
        _keep(session, emit, known)
        return
    leave = _leaving(session, lambda: None)
    asked = Asked("base", 0, session.config.eval.num_samples)
    _evaluate(session, emit, session.base, asked, leave)


def _evaluate_during(
    session: Session, emit: Emit, checkpoints: Checkpoints, position: Position, tag: str
) -> None:
    options = session.config.eval
    count = options.num_samples if tag == "final" else options.num_samples_during
    emit(events.PhaseStarted(f"evaluation of {count} samples", position.done))
    model = session.learner.decoder(position.state.trained)
    # What training needs is on disk or will be done again, so that leaving here costs little.
    leave = _leaving(session, checkpoints.wait)
    _evaluate(session, emit, model, Asked(tag, position.done, count), leave)


def _leaving(session: Session, finish: Callable[[], None]) -> Callable[[], None]:
    return lambda: session.stop.leave_if_asked(finish)


def _evaluate(
    session: Session,
    emit: Emit,
    model: tuple[Any, Any],
    asked: Asked,
    leave: Callable[[], None],
) -> None:
    """Evaluate a model, given as (graphdef, params), and save what came of it."""
    options = session.config.eval
    how = "by all right answers" if options.exact else f"{asked.num_samples} samples of each"
    title = f"evaluating {asked.tag}: {options.num_problems} problems, {how}"
    folder = session.folder.completions(asked.tag)
    with stage(title) as told:
        result = session.evaluate(model, asked, folder=folder, progress=told.leaving(leave))
    _keep(session, emit, result)


def _keep(session: Session, emit: Emit, result: EvalResult) -> None:
    if hosts.is_main():
        result.save(session.folder.eval_file(result.tag))
    emit(events.Evaluated(result))
