"""Schedules as closed-form functions of the step; nothing ticks."""

from collections.abc import Callable

import jax.numpy as jnp
from jax.typing import ArrayLike

from ._arrays import Array

Schedule = Callable[[ArrayLike], Array]
Scheduled = float | Array | Schedule
Falling = Scheduled | tuple[float, float]
"""A constant or any schedule; or (upper, lower), cosine cycles over the steps of a run."""


def cosine_cycles(
    step: ArrayLike,
    *,
    upper: float,
    lower: float,
    max_steps: int,
    num_cycles: int = 8,
    decay_rate: float = 0.9,
) -> Array:
    """Value at `step` of a cosine that falls from `upper` to `lower` once in each cycle.

    A cycle has L = max(1, max_steps // num_cycles) steps. In cycle c = min(step // L,
    num_cycles − 1) the upper bound is u = upper · decay_rate^c, and the value is
    lower + (u − lower) · (1 + cos(π (step mod L) / L)) / 2. Past the last cycle its bounds stay and
    the cosine goes on repeating. Raises ValueError for counts below 1.

    >>> print(f"{float(cosine_cycles(5, upper=0.3, lower=0.1, max_steps=80)):.3f}")
    0.200
    """
    _check(max_steps, num_cycles)
    length = max(1, max_steps // num_cycles)
    step = jnp.asarray(step)
    cycle = jnp.minimum(step // length, num_cycles - 1).astype(float)
    phase = (step % length).astype(float) / length
    bound = upper * jnp.asarray(decay_rate, phase.dtype) ** cycle
    return lower + (bound - lower) * 0.5 * (1.0 + jnp.cos(jnp.pi * phase))


def cyclic(
    upper: float,
    lower: float,
    *,
    max_steps: int,
    num_cycles: int = 8,
    decay_rate: float = 0.9,
) -> Schedule:
    """`cosine_cycles` with everything but the step given; refuses bad counts at once."""

    def schedule(step: ArrayLike) -> Array:
        return cosine_cycles(
            step,
            upper=upper,
            lower=lower,
            max_steps=max_steps,
            num_cycles=num_cycles,
            decay_rate=decay_rate,
        )

    _check(max_steps, num_cycles)
    return schedule


def falling(
    value: Falling,
    name: str,
    *,
    max_steps: int | None,
    num_cycles: int = 8,
    decay_rate: float = 0.9,
) -> Scheduled:
    """(upper, lower) as `cyclic` over `max_steps` steps; anything else as it is.

    `name` is of the argument, for what is raised: ValueError for a negative number, a lower bound
    above its upper one, a decay rate outside (0, 1], or a pair without `max_steps`.
    """
    if not isinstance(value, tuple):
        if isinstance(value, int | float) and value < 0:
            raise ValueError(f"{name} is {value}; it must be 0 or more")
        return value
    if not value[0] >= value[1] >= 0:
        raise ValueError(f"{name} is {value}; upper >= lower >= 0 must hold")
    if max_steps is None:
        raise ValueError(f"max_steps is None; {name} falls from {value[0]} to {value[1]} over them")
    if not 0 < decay_rate <= 1:
        raise ValueError(f"decay_rate is {decay_rate}; 0 < decay_rate <= 1 must hold")
    return cyclic(*value, max_steps=max_steps, num_cycles=num_cycles, decay_rate=decay_rate)


def at(value: Scheduled, step: ArrayLike) -> float | Array:
    """The value itself, or its value at `step` when it is a schedule."""
    return value(step) if callable(value) else value


def _check(max_steps: int, num_cycles: int) -> None:
    if max_steps < 1 or num_cycles < 1:
        raise ValueError(
            f"max_steps is {max_steps} and num_cycles is {num_cycles}; both must be at least 1"
        )
