"""What a person sees while a run goes on: progress, time left, and the latest metrics."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator, Mapping

from rich.console import Console as Terminal
from rich.console import Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from sage_jax.parallel import hosts
from sage_jax.run.events import Event, StepDone, Stopped, TrainingStarted

# Shown in this order where present: metric, label, format.
_ROWS = [
    ("reward", "reward", "{:.3f}"),
    ("pass@1", "pass@1 of the batch", "{:.3f}"),
    ("loss", "loss", "{:.4f}"),
    ("kl/reference", "KL to the reference", "{:.4f}"),
    ("entropy", "entropy (nats)", "{:.3f}"),
    ("q/mean", "guide q, mean", "{:.4f}"),
    ("q/above_one", "tokens with q > 1", "{:.1%}"),
    ("clip/region", "clipped tokens", "{:.2%}"),
    ("length/mean", "completion length", "{:.1f}"),
    ("truncated", "truncated", "{:.1%}"),
    ("verdicts/lost", "verdicts lost", "{:.2%}"),
    ("groups/zero_variance", "groups with equal rewards", "{:.1%}"),
    ("grad_norm", "gradient norm", "{:.3f}"),
    ("updates/changed", "weights changed", "{:.1%}"),
    ("seconds/step", "seconds a step", "{:.2f}"),
    ("tokens_per_s/rollout", "rollout tokens/s", "{:.0f}"),
    ("tokens_per_s/update", "update tokens/s", "{:.0f}"),
]

_FAULTS = ("verdicts/lost",)  # Said in a line of text too, where they are not zero.


_log = logging.getLogger("sage_jax.console")  # For those who keep what is said; it shows nothing.
_log.addHandler(logging.NullHandler())
_log.propagate = False


def warn(text: str) -> None:
    """A line on standard error, of the first process alone."""
    if hosts.is_main():
        sys.stderr.write(f"sage-jax: {text}\n")
        _log.warning("%s", text)


def log(text: str) -> None:
    """A line on standard output, of the first process alone."""
    Terminal(highlight=False, quiet=not hosts.is_main()).print(text, markup=False, soft_wrap=True)


_LINE_S = 60.0  # Seconds without a line after which the next step gets one.


class Console:
    """A live table on a terminal; a line every few steps or minutes where output goes to a file.

    Args:
        title: of the run.
        total: steps.
        line_every: steps between two lines.
    """

    def __init__(self, title: str, total: int, *, line_every: int = 10):
        self._terminal = Terminal(highlight=False, quiet=not hosts.is_main())
        self._title, self._total, self._line_every = title, total, line_every
        self._last_line = time.monotonic()
        columns = [
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        ]
        self._progress = Progress(*columns, console=self._terminal)
        self._task = self._progress.add_task(title, total=total, start=False)
        self._live = Live(self._progress, console=self._terminal, refresh_per_second=4)

    def __call__(self, event: Event) -> None:
        """Show what a run does."""
        match event:
            case TrainingStarted():
                self.begin(event.done)
            case StepDone():
                self.step(event.step, event.metrics)
            case Stopped():
                self.end()

    @contextlib.contextmanager
    def shown(self, done: int) -> Iterator[None]:
        """Show it while the body runs."""
        self.begin(done)
        try:
            yield
        finally:
            self.end()

    def begin(self, done: int) -> None:
        """Show that `done` steps were done before."""
        self._progress.start_task(self._task)
        self._progress.update(self._task, completed=done)
        if self._terminal.is_terminal:
            self._live.start()

    def end(self) -> None:
        """Leave the table as it is."""
        self._live.stop()

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show that `step` steps are done, with the metrics of the last."""
        self._progress.update(self._task, completed=step)
        if self._terminal.is_terminal:
            self._live.update(Group(self._progress, _table(metrics)))
        elif self._is_due(step):
            self._last_line = time.monotonic()
            rows = _ROWS[:6] + [row for row in _ROWS if row[0] in _FAULTS and metrics.get(row[0])]
            shown = [
                f"{label} {form.format(metrics[name])}"
                for name, label, form in rows
                if name in metrics
            ]
            self.say(f"{self._title} {step}/{self._total}  " + "  ".join(shown))

    def _is_due(self, step: int) -> bool:
        quiet = time.monotonic() - self._last_line >= _LINE_S
        return quiet or step % self._line_every == 0 or step == self._total

    def say(self, text: str) -> None:
        """A line that stays."""
        self._terminal.print(text, markup=False, soft_wrap=True)


def _table(metrics: Mapping[str, float]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    shown = [(label, form.format(metrics[name])) for name, label, form in _ROWS if name in metrics]
    half = (len(shown) + 1) // 2
    for place in range(half):
        right = shown[half + place] if half + place < len(shown) else ("", "")
        table.add_row(*shown[place], *right)
    return table
