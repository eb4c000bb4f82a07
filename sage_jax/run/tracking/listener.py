"""What a tracker is told of a run, and when."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sage_jax.evaluate import EvalResult
from sage_jax.parallel import hosts
from sage_jax.paths import is_remote
from sage_jax.run.console import warn
from sage_jax.run.events import Evaluated, Event, Started, StepDone, Stopped, TrainingStarted
from sage_jax.run.judging import Outcome
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.samples import is_due, samples_of
from sage_jax.run.tracking import names
from sage_jax.run.tracking.memory import Memory
from sage_jax.run.tracking.outbox import Outbox
from sage_jax.run.tracking.plain_config import plain_config
from sage_jax.run.tracking.tracker import Opening, Tracker
from sage_jax.telling import line

Rows = Sequence[Mapping[str, Any]]


def write_page(folder: Path) -> None:
    """The page of a run, in `report/` of its folder."""
    from sage_jax.evaluate import write_report  # Brings plots, which a run has no need of before.

    write_report([folder], folder / "report")


class Tracking:
    """A listener that tells a tracker of steps, completions and evaluations, and files at the end.

    Figures are put together where the event is told; all that the tracker does is done on the
    thread of an `Outbox`. A step that the tracker was told of before is not told again, so that a
    run that goes on from an older checkpoint, whose steps come out the same, has each step once;
    steps that were done before it had this tracker are told from metrics.jsonl. Of several
    processes the first tells, whichever are told of events: figures are the same on all.

    Args:
        tracker: that is told.
        wait_s: seconds to wait at most at the end.
        say: tells a person a line.
        outbox: makes one of a title, its first call, and `say`.
        page: writes the run's page, once all steps are done and where no newer one is there.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        wait_s: float = 30.0,
        say: Callable[[str], None] = warn,
        outbox: Callable[..., Outbox] = Outbox,
        page: Callable[[Path], None] = write_page,
    ):
        if not wait_s >= 0:
            raise ValueError(f"wait_s is {wait_s}; it must be 0 or more")
        self._tracker, self._wait_s, self._say, self._make = tracker, wait_s, say, outbox
        self._page = page
        self._outbox: Outbox | None = None

    def __call__(self, event: Event) -> None:
        """Tell of an event."""
        if isinstance(event, Started) and hosts.is_main():
            self._begin(event)
        elif self._outbox is not None:
            self._tell(event, self._outbox)

    def _begin(self, event: Started) -> None:
        self._config, self._folder = event.config, RunFolder(event.folder)
        opened = functools.partial(self._open, plain_config(event.config))
        self._outbox = self._make(self._tracker.title, opened, self._say)

    def _tell(self, event: Event, outbox: Outbox) -> None:
        match event:
            case TrainingStarted():
                outbox.put(functools.partial(self._go_on, event.done, event.history))
            case StepDone():
                outbox.put(functools.partial(self._step, event.step, *self._seen(event)))
            case Evaluated():
                outbox.put(functools.partial(self._evaluated, event.result))
            case Stopped():
                self._end(event, outbox)

    def _seen(self, event: StepDone) -> tuple[dict[str, float], Rows]:
        """Figures and completions of a step, of which nothing stays on a device."""
        outcome = Outcome.join([one.rewards.result() for one in event.drawn])
        values = names.of_step(event.metrics) | names.of_batch(outcome)
        train = self._config.train
        due = is_due(event.step, every=train.sample_every, last=train.steps)
        return values, samples_of(event) if due else ()

    def _end(self, event: Stopped, outbox: Outbox) -> None:
        if event.error is None and (files := self._files()):
            outbox.put(functools.partial(self._tracker.files, files))
        last = functools.partial(self._tracker.close, failed=event.error is not None)
        outbox.close(last, within_s=self._wait_s)

    def _files(self) -> list[Path]:
        """Evaluations and the page."""
        if is_remote(self._folder.path):
            return []  # Libraries take files of this machine.
        results = sorted(self._folder.eval_file("any").parent.glob("*.json"))
        newest = max((path.stat().st_mtime_ns for path in results), default=0)
        return [*results, *(self._report(newest) or self._written(newest))]

    def _report(self, newest: int) -> list[Path]:
        """Files of `report/` that are newer than the evaluations."""
        found = sorted((self._folder.path / "report").glob("*"))
        return [path for path in found if path.is_file() and path.stat().st_mtime_ns >= newest]

    def _written(self, newest: int) -> list[Path]:
        try:
            self._page(self._folder.path)
        except Exception as error:
            self._say(f"{self._tracker.title}: no report: {line(error)}; the run goes on")
        return self._report(newest)

    # From here on on the outbox's thread.

    def _open(self, config: Mapping[str, Any]) -> None:
        tracker = self._tracker
        self._memory = Memory(self._folder.path, tracker.title, tracker.home)
        opening = Opening(self._config.name, config, self._folder.path, self._memory.id)
        self._memory.keep(id=tracker.open(opening), told=self._memory.told)

    def _go_on(self, done: int, history: Sequence[Mapping[str, Any]]) -> None:
        if self._memory.told > done and self._tracker.rewind(done):
            self._memory.keep(id=self._memory.id, told=done)
            self._evaluations_after(done)
        for entry in history:
            self._step(entry["step"], names.of_step(entry), ())

    def _evaluations_after(self, done: int) -> None:
        """Tell once more of those that went with the steps, and are not made again."""
        for path in sorted(self._folder.eval_file("any").parent.glob("step-*.json")):
            result = EvalResult.load(path)
            if result.step > done:
                self._evaluated(result)

    def _step(self, step: int, values: Mapping[str, float], rows: Rows) -> None:
        if step <= self._memory.told:
            return
        self._memory.keep(id=self._memory.id, told=step)
        self._tracker.metrics(step, values)
        if rows:
            self._tracker.table(step, rows)

    def _evaluated(self, result: EvalResult) -> None:
        self._tracker.metrics(result.step, names.of_evaluation(result.summary()))
