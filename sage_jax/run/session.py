"""A run that is put together: all that its steps and evaluations work with."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import optax

from sage_jax import config as configs
from sage_jax import setup
from sage_jax.data.tasks import Task
from sage_jax.evaluate import EvalResult
from sage_jax.learn.learner import Learner
from sage_jax.learn.state import TrainState
from sage_jax.run.entropies import keep_entropies
from sage_jax.run.evaluation import evaluate_model
from sage_jax.run.events import Event
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.samples import is_due
from sage_jax.run.step import Step, Taken
from sage_jax.run.stop import StopRequest
from sage_jax.run.warmup import open_and_warm_up

Emit = Callable[[Event], None]


@dataclasses.dataclass(frozen=True)
class Session:
    """What a run works with; nothing in it changes but the stop request.

    Attributes:
        config: of the run.
        folder: of the run.
        task: prompts and judge.
        learner: policy, loss and optimiser.
        step: (state, step, cursor) -> what came of it, see `Step`.
        evaluate: (model, asked, *, folder, progress) -> EvalResult, see `evaluate_model`.
        first_state: () -> the state before the first update; takes the base's weights over.
        learning_rate: by number of updates.
        base: the model that training starts from, as (graphdef, params).
        stop: whether to stop.
        close: ends the task's processes and threads.
        why: the reason for the mesh, where it was picked and not asked for.
    """

    config: configs.Config
    folder: RunFolder
    task: Task
    learner: Learner
    step: Callable[[TrainState, int, int], Taken]
    evaluate: Callable[..., EvalResult]
    first_state: Callable[[], TrainState]
    learning_rate: optax.Schedule
    base: tuple[Any, Any]
    stop: StopRequest
    close: Callable[[], None]
    why: str = ""


def open_session(
    config: configs.Config,
    folder: RunFolder,
    stop: StopRequest,
    *,
    opened: Callable[[Task], None],
    emit: Emit,
) -> Session:
    """Load or warm up the model, and put everything together.

    Args:
        config: of the run.
        folder: of the run.
        stop: leaves between steps of a warm-up.
        opened: called with the task once model, task and devices have been found to fit the config.
        emit: told of a warm-up's steps.

    Raises:
        ConfigError: if something does not fit.
    """
    with contextlib.ExitStack() as closing:
        base = open_and_warm_up(config, folder, stop, opened=opened, emit=emit)
        closing.callback(base.task.close)
        keep_entropies(config, base, folder)
        learner = setup.make_learner(config, base)
        step = make_step(config, base, learner)
        closing.callback(step.close)
        return Session(
            config,
            folder,
            base.task,
            learner,
            step,
            functools.partial(evaluate_model, config, base),
            functools.partial(setup.first_state, learner, jax.random.key(config.seed)),
            setup.learning_rate(config),
            (base.loaded.graphdef, base.loaded.params),
            stop,
            closing.pop_all().close,
            base.why,
        )


def make_step(config: configs.Config, base: setup.Base, learner: Learner) -> Step:
    """What takes the steps of a run.

    Raises:
        ConfigError: if a string of `rollout.stop` cannot end a completion of this model.
    """
    options, steps = config.rollout, config.train
    found = setup.decoding(config, base.task)
    setup.filled(learner.policy, found)  # Refused here, before the first step.
    return Step(
        learner,
        base.task,
        found,
        root=jax.random.key(config.seed),
        num_prompts=options.num_prompts,
        dynamic_sampling=options.dynamic_sampling,
        chunks=options.chunks,
        shown=lambda step: is_due(step + 1, every=steps.sample_every, last=steps.steps),
    )
