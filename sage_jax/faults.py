"""What is wrong with a config, in one line."""

import json
from collections.abc import Iterator
from typing import Any

import pydantic

from sage_jax.telling import OneLine, UserError, brief, printable

_DEEPEST = 20  # Of a fault that is named; no field of a config lies so deep.
_MOST_FAULTS = 8  # That are told at once.


class ConfigError(OneLine, UserError):
    """A configuration that cannot be run, with a message fit to be shown as it is."""


def explain(error: pydantic.ValidationError) -> str:
    """The faults of a config in one line."""
    faults = error.errors()
    said = [_explain(fault) for fault in faults[:_MOST_FAULTS]]
    more = len(faults) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more else "")


def _explain(fault: Any) -> str:
    return told(".".join(str(part)[:100] for part in fault["loc"]), fault)


def told(field: str, fault: Any) -> str:
    """One of pydantic's faults, of the field of that name."""
    field = printable(field)
    if fault["type"] == "extra_forbidden":
        return f"{field}: {renamed(field) or 'there is no such field'}"
    if fault["type"] == "missing":
        return _renamed_beside(field, fault["input"]) or f"{field}: must be given"
    message = printable(fault["msg"].removeprefix("Value error, "))
    hint = hint_of(fault["type"], fault["input"])
    return f"{field}: {message} (got {brief(fault['input'])}){hint}" if field else message


def _renamed_beside(field: str, section: Any) -> str:
    """What is said of a field that has another name, where the one that is missing should be."""
    above = field.rpartition(".")[0]
    names = (f"{above}.{name}" for name in section) if isinstance(section, dict) else ()
    return next((f"{name}: {renamed(name)}" for name in names if renamed(name)), "")


def renamed(field: str) -> str:
    """What a config says in the place of a field that has another name; empty for all others."""
    return _RENAMED.get(field, "")


# Fields that had another name once, or have one in TRL, and what a config says in their place.
_CLIP = "is an argument of the surrogate: surrogate: {use: clipped, eps_low: 0.2, eps_high: 0.28}"
_RENAMED = {
    "loss.eps_low": _CLIP,
    "loss.eps_high": _CLIP,
    "loss.epsilon": _CLIP,
    "loss.epsilon_high": _CLIP,
    "loss.delta": "is an argument of the surrogate: surrogate: {use: clipped, delta: 1.5}",
    "loss.kl_in_reward": "has another name: kl_in: reward",
    "loss.kl_renormalize": "is an argument of the estimator now: kl_estimator: {use: exact, "
    "renormalize: true}",
    "loss.beta": "is named loss.kl_coef here",
    "loss.loss_type": "is named loss.reduction here",
    "loss.scale_rewards": "is part of the advantage here: advantage: group, batch or none",
    "loss.importance_sampling_level": "is named loss.level here",
    "loss.num_iterations": "is named optimizer.epochs here",
    "rollout.num_generations": "is named rollout.group_size here",
    "optimizer.rise_steps": "is named optimizer.warmup_steps now",
    "optimizer.final_share": "is named optimizer.end_factor now",
    "optimizer.updates_per_rollout": "is named optimizer.num_minibatches now",
    "rollout.halvings": "is named rollout.compactions now",
    "rollout.growths": "is named rollout.cache_doublings now",
    "rollout.parts": "is named rollout.chunks now",
    "task.kind": "is named task.use now",
    "task.format_weight": "is a reward of its own now: reward: [{use: math, weight: 0.9}, "
    "{use: boxed, weight: 0.1}]",
    "guide_options": "its fields stand beside the guide's name now, as in guide: {use: branch, "
    "ratio: 0.3}; `sage-jax parts guide` lists them",
    "rollout.resample": "is named rollout.dynamic_sampling now",
}


def hint_of(kind: str, value: Any) -> str:
    """What was perhaps meant by a value of the wrong type, as the end of a sentence."""
    if kind in ("float_type", "int_type") and isinstance(value, str):
        return _number_hint(value, "1e-6" if kind == "float_type" else "100")
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}"
    if kind in ("string_type", "literal_error") and isinstance(value, bool | int | float):
        return f"; YAML takes it for a {type(value).__name__}: write text in quotes"
    if kind == "bool_type":
        return "; write true or false"
    if kind == "tuple_type" and isinstance(value, str):
        return "; write a list, [...]"
    return ""


def _number_hint(text: str, example: str) -> str:
    plain = text.strip().translate(_DASHES).rstrip("f")
    try:
        value = float(plain)
    except ValueError:
        return f"; write a number, such as {example}"
    return "; write it without quotes" if plain == text else f"; write {value:g}"


# What stands for a minus in text that was copied from a page.
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")


def culprit(data: Any) -> str:
    """The field that JSON does not take, as the beginning of a sentence."""
    for field, value in _leaves(data, "", ()):
        try:
            as_json({field: value})
        except (TypeError, ValueError):
            return f"{printable(field)[:200]}: {brief(value)} is "
    return ""


def _leaves(tree: Any, field: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """(name, value) of all that is no mapping or list; what holds itself is passed over."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        name = f"{field}.{key}" if field else str(key)
        if not isinstance(value, dict | list):
            yield name, value
        elif id(value) not in above and len(above) < _DEEPEST:
            yield from _leaves(value, name, (*above, id(value)))


def as_json(value: Any) -> bytes:
    """The form that pydantic checks.

    Raises:
        TypeError, ValueError: of what JSON does not hold.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
