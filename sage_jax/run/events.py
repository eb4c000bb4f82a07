"""What happens in a run, as listeners are told of it.

A listener is a function of one event. Each is told when it has happened, in the main thread, on
the first process only unless it asks for all; arrays are the loop's own and not to be kept.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sage_jax import config as configs
from sage_jax.data.tasks import Task
from sage_jax.evaluate import EvalResult
from sage_jax.learn.non_finite import NonFinite
from sage_jax.learn.state import TrainState
from sage_jax.learn.token_figures import TokenFigures
from sage_jax.run.dynamic_sampling import Batch


@dataclasses.dataclass(frozen=True)
class Started:
    """Model, task and devices were found to fit the config.

    Attributes:
        config: of the run.
        folder: of the run.
    """

    config: configs.Config
    folder: Path


@dataclasses.dataclass(frozen=True)
class WarmupStepDone:
    """Some steps of the supervised warm-up were done.

    Attributes:
        step: steps done.
        steps: all of them.
        metrics: of the last one.
    """

    step: int
    steps: int
    metrics: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class TrainingStarted:
    """Reinforcement learning begins, or goes on.

    Attributes:
        done: steps done before.
        steps: all of them.
        history: metrics of the steps done; empty on processes other than the first.
    """

    done: int
    steps: int
    history: Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class PhaseStarted:
    """What came before is over, and this begins.

    Attributes:
        name: `step`, `samples and checkpoint`, `last checkpoint`, or `evaluation of N samples`.
        done: steps done.
    """

    name: str
    done: int


@dataclasses.dataclass(frozen=True)
class StepDone:
    """A step was taken.

    Attributes:
        step: steps done, this one included.
        metrics: a line of metrics.jsonl; the same on every process.
        batch: what was learned from.
        drawn: all that was sampled for it, with dynamic sampling several batches.
        state: after the step; the next one takes its memory over.
        non_finite: where NaN or infinity got into the update.
        task: spells tokens as text and knows the right answers.
        figures: of every token of `batch`, where samples are due; else None.
    """

    step: int
    metrics: Mapping[str, Any]
    batch: Batch
    drawn: Sequence[Batch]
    state: TrainState
    non_finite: NonFinite
    task: Task
    figures: TokenFigures | None = None


@dataclasses.dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint was begun; it is on disk once the next event of its kind, or the end, comes.

    Attributes:
        step: steps done.
        path: of the checkpoint.
    """

    step: int
    path: Path


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """The model was evaluated, and the result written down.

    Attributes:
        result: with its `tag` (`base`, `step-N`, `final`) and step; `summary()` has the figures.
    """

    result: EvalResult


@dataclasses.dataclass(frozen=True)
class Stopped:
    """The run is over for now; the last event.

    Attributes:
        error: what ended it, `stop.Stopped` after a signal; None at the end of its steps.
    """

    error: BaseException | None


Event = (
    Started | WarmupStepDone | TrainingStarted | PhaseStarted | StepDone | CheckpointSaved
    | Evaluated | Stopped
)  # fmt: skip
Listener = Callable[[Any], Any]
"""(event) -> anything, which is not looked at."""
