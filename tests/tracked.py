"""A run as trackers are told of it, without a run: of four steps, of which some are told."""

from typing import Any

import fake_run
from runs import step_done

from sage_jax.evaluate import EvalResult
from sage_jax.evaluate.results import ProblemResult
from sage_jax.run import events
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.tracking.listener import Tracking

LONG = 60.0  # Seconds that no test waits for.


def tell(config, folder, tracker, *, done=0, upto=4, error=None, **options: Any):
    """Tell a tracker of a part of a run: steps `done + 1` to `upto`, with what goes with them."""
    options = {"page": page} | options
    own = Tracking(tracker, wait_s=LONG, **options)
    own(events.Started(config, folder))
    if not done:
        own(events.Evaluated(evaluated(folder, "base", 0)))
    own(events.TrainingStarted(done, 4, [line(step) for step in range(1, done + 1)]))
    for step in range(done + 1, upto + 1):
        own(stepped(step))
    if error is None:
        own(events.Evaluated(evaluated(folder, "final", 4)))
    own(events.Stopped(error))
    return tracker


def page(folder):
    """The page of a run, in the place of the real one."""
    (folder / "report").mkdir(exist_ok=True)
    (folder / "report" / "index.html").write_text("")


def stepped(step):
    """A step with its batch."""
    batch: Any = fake_run._batch(step)
    task: Any = fake_run.Task()
    return step_done(step, line(step), batch=batch, drawn=[batch], task=task)


def line(step):
    """Of metrics.jsonl."""
    return {"step": step, "loss": 1.0 / step, "reward": 0.5}


def evaluated(folder, tag, step):
    """An evaluation that was written down."""
    problems = tuple(ProblemResult(str(place), 1, 2) for place in range(2))
    result = EvalResult(tag, step, "fake", 2, 0, 1.0, problems, 3.0, 0.0)
    result.save(RunFolder(folder).eval_file(tag))
    return result
