"""Who is told what happens in a run: files, console and guards of ours, and the user's own."""

import contextlib
from collections import Counter
from collections.abc import Sequence

from sage_jax import config as configs
from sage_jax import parts
from sage_jax.config import ConfigError
from sage_jax.parallel import hosts
from sage_jax.run.bad_steps import BadSteps
from sage_jax.run.console import Console, warn
from sage_jax.run.events import Event, Listener, Stopped
from sage_jax.run.journal import Journal
from sage_jax.run.lost import LostVerdicts
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.sampler_gap import SamplerGap
from sage_jax.run.samples import Samples
from sage_jax.run.standstill import Standstill
from sage_jax.run.watchdog import Watchdog
from sage_jax.telling import brief


class Listeners:
    """Tells several listeners of every event, one after the other.

    Args:
        listeners: in their order.
    """

    def __init__(self, listeners: Sequence[Listener]):
        self._listeners = tuple(listeners)

    def __call__(self, event: Event) -> None:
        """Tell all of them. An error ends it, but that the run is over is told to all first."""
        if isinstance(event, Stopped):
            with contextlib.ExitStack() as rest:
                for listener in reversed(self._listeners):
                    rest.callback(listener, event)
            return
        for listener in self._listeners:
            listener(event)


class BestEffort:
    """A listener of the user's, whose errors stop no run.

    Each error is told once, and how many there were at the end.

    Args:
        listener: of the user's.
        part: that it came from.
    """

    def __init__(self, listener: Listener, part: parts.Part):
        self._listener, self._part = listener, part
        self._failed: Counter[str] = Counter()

    def __call__(self, event: Event) -> None:
        """Tell it of an event."""
        try:
            self._listener(event)
        except Exception as error:
            where = parts.place(error, self._part.function)
            line = f"{self._part.field}: {self._part.spec.use}: {parts.said(error)}{where}"
            self._failed[line] += 1
            if self._failed[line] == 1:
                warn(f"{line}; the run goes on")
        if isinstance(event, Stopped):
            for line, count in self._failed.items():
                if count > 1:
                    warn(f"{line}: {count} times in all")


def make_listeners(config: configs.Config, folder: RunFolder) -> Listeners:
    """All listeners of a run.

    What writes a step down comes first, and what may end the run for it last.

    Raises:
        ConfigError: if one of the user's is not there, or is not a function of an event.
    """
    steps = config.train.steps
    console = Console(config.name, steps, line_every=max(1, steps // 20))
    return Listeners(
        [
            Watchdog(folder.stalls_file, at_least_s=config.train.stall_s),
            Journal(folder.metrics_file),
            console,
            Standstill(config, warn),
            SamplerGap(config),
            *_own(config),
            LostVerdicts(folder, max_share=config.task.max_lost),
            BadSteps(folder, limit=config.train.max_bad_steps),
            Samples(folder, every=config.train.sample_every, last=steps),
        ]
    )


def _own(config: configs.Config) -> list[Listener]:
    """The user's own of this process."""
    return [
        _listener(parts.resolve(spec, parts.LISTENERS, field=f"listeners.{place}"))
        for place, spec in enumerate(config.listeners)
        if spec.all_processes or hosts.is_main()
    ]


def _listener(part: parts.Part) -> Listener:
    made = part.bound() if part.asks("event") else part.call()
    if not callable(made):
        raise ConfigError(
            f"{part.field}: {part.spec.use} asks for no `event` and gives {brief(made)}, which "
            "cannot be called with one"
        )
    return BestEffort(made, part)
