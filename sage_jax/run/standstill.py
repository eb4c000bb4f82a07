"""Steps that teach little, wait for rewards or look mistaken: said once, with what to change."""

from collections.abc import Callable, Mapping
from typing import Any

from sage_jax import config as configs
from sage_jax.run.events import Event, StepDone, TrainingStarted

STEPS = 10
"""In a row, after which it is said."""


class Standstill:
    """A listener that watches for steps that teach little, wait for rewards or look mistaken.

    Those are steps whose completions are all cut off, whose groups are all equal, whose updates
    change next to no weight, or that spend most of their time on rewards.

    A completion that is cut off holds no answer, as a rule, and a group of equal rewards has no
    advantages: nothing is learned from either, though nothing fails. An update below the last place
    of the weights is rounded away, whatever it was learned from. And rewards that take longer than
    all else leave the devices without work. Each is said once a run, also
    of a run that is resumed, and a single other step begins the count anew. A guide of one's own
    whose q is far above 1 everywhere is told of at the first such step.

    Args:
        config: of the run.
        say: told what to change.
    """

    def __init__(self, config: configs.Config, say: Callable[[str], None]):
        self._config, self._say = config, say
        self._rows = dict.fromkeys(_LASTING, 0)
        self._said: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Look at the metrics of a step, or of all steps that were done before."""
        match event:
            case TrainingStarted():
                for entry in event.history:
                    self._count(entry)
            case StepDone():
                for name in self._count(event.metrics):
                    text = _LASTING[name][1](self._config, event.metrics)
                    self._say(f"step {event.step}: {text}")

    def _count(self, entry: Mapping[str, Any]) -> list[str]:
        """What has lasted long enough with this step for the first time."""
        for name in self._rows:
            holds = _LASTING[name][0](self._config, entry)
            self._rows[name] = self._rows[name] + 1 if holds else 0
        new = [
            name
            for name, row in self._rows.items()
            if row >= _AFTER.get(name, STEPS) and name not in self._said
        ]
        self._said.update(new)
        return new


def _cut_off(config: configs.Config, _: Mapping[str, Any]) -> str:
    length = config.rollout.max_completion_length
    return (
        f"in {STEPS} steps every completion was cut off at rollout.max_completion_length {length}: "
        "raise it, ask for shorter answers (task.instruction, task.system_prompt), or see in "
        "samples/ whether turns end with a token or string that rollout.stop should name"
    )


def _equal(config: configs.Config, entry: Mapping[str, Any]) -> str:
    size = config.rollout.group_size
    said = f"in {STEPS} steps all {size} completions of every prompt got one reward, so that no "
    if entry.get("pass@1") == 1:
        return (
            said + "reward told them apart; all are right: take harder problems (arguments of "
            f"task {config.task.use}), or stop here"
        )
    return (
        said + "reward told them apart: see in samples/ what is written and why it is judged so; "
        "take easier problems, a warm-up (warmup.steps), a larger rollout.group_size, or draw "
        "others instead (rollout.dynamic_sampling)" + _format_hint(entry)
    )


def _format_hint(entry: Mapping[str, Any]) -> str:
    """Where answers in boxes are all that is paid for."""
    paid = [name for name in entry if name.startswith("reward/")]
    if paid not in (["reward/math"], ["reward/number"]):
        return ""
    return "; a second reward pays for a well-formed box: reward: [math, {use: boxed, weight: 0.1}]"


def _still(config: configs.Config, entry: Mapping[str, Any]) -> str:
    return (
        f"in {STEPS} steps updates changed less than {_FEW:.0%} of the weights: the learning rate, "
        f"now {entry.get('learning_rate', 0):g}, is too small for them: raise "
        f"optimizer.learning_rate {config.optimizer.learning_rate:g}, or see whether its schedule "
        f"{config.optimizer.schedule!r} is at its end (train.schedule_steps)"
    )


def _hardly_changes(_: configs.Config, entry: Mapping[str, Any]) -> bool:
    """Of updates that were made and had something to learn from."""
    share, skipped = entry.get("updates/changed"), entry.get("updates/skipped")
    equal = entry.get("groups/zero_variance") == 1
    return share is not None and share < _FEW and not skipped and not equal


def _slow(config: configs.Config, entry: Mapping[str, Any]) -> str:
    workers = config.task.num_workers
    here = [one.use for one in config.reward if one.is_foreign and not one.isolate]
    advice = []
    if not config.reward or any(one.isolate or one.use == "math" for one in config.reward):
        advice += [f"raise task.num_workers {workers} where cores are free"]
    if here:
        advice += [
            f"`isolate: true` beside {' and '.join(here)} calls it in processes side by side, as "
            f"many as task.num_workers {workers}",
            "write it for a batch (completions), or `async` if it waits",
        ]
    return (
        f"in {STEPS} steps rewards took more than half of the time, now "
        f"{entry['seconds/reward']:.2g} s of {entry['seconds/step']:.2g} s: "
        f"{', or '.join(advice or ['see which of them takes so long'])}"
    )


def _waits_for_rewards(_: configs.Config, entry: Mapping[str, Any]) -> bool:
    return (entry.get("seconds/reward") or 0) > 0.5 * (entry.get("seconds/step") or 0)


def _not_log(config: configs.Config, entry: Mapping[str, Any]) -> str:
    return (
        f"q is {entry['q/min']:.2g} to {entry['q/max']:.2g}, far above 1 everywhere: did guide "
        f"{config.guide.use} give q in place of log q? (losses.guides.bounded_log)"
    )


def _is_high(config: configs.Config, entry: Mapping[str, Any]) -> bool:
    """Where q of a guide of one's own is, as exp(q) is for any q above 0.4; ours have a bound."""
    return config.guide.is_foreign and (entry.get("q/min") or 0) > _HIGH


_FEW, _HIGH = 0.01, 1.5
# What is watched for, and what is said of it.
_LASTING: dict[str, tuple[Callable[..., bool], Callable[..., str]]] = {
    "cut off": (lambda _, entry: entry.get("truncated") == 1, _cut_off),
    "equal": (lambda _, entry: entry.get("groups/zero_variance") == 1, _equal),
    "still": (_hardly_changes, _still),
    "slow": (_waits_for_rewards, _slow),
    "not log": (_is_high, _not_log),
}
_AFTER = {"not log": 1}  # Steps in a row where they are others than `STEPS`.
