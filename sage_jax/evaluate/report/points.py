"""A difference as numbers that a person reads: percentage points, or modes."""

from sage_jax.evaluate.bootstrap import Interval
from sage_jax.evaluate.figures import is_share

_MOST = 4


def points(label: str, interval: Interval) -> tuple[str, str, str]:
    """Mean, low and high of a difference, with a sign.

    An interval that excludes zero has as many decimals as it takes to see that, up to four; what is
    less than that says nothing, and has as few as others.

    >>> points("pass@1", Interval(0.05, 0.01, 0.09)), points("modes@4", Interval(-0.5, -1, 0))
    (('+5.0', '+1.0', '+9.0'), ('-0.50', '-1.00', '+0.00'))
    >>> points("pass@64", Interval(-0.0003, -0.0004, -0.0002))
    ('-0.03', '-0.04', '-0.02')
    >>> points("pass@1024", Interval(2e-7, 1e-7, 3e-7))
    ('+0.0', '+0.0', '+0.0')
    """
    unit, fewest = (100, 1) if is_share(label) else (1, 2)
    values = [unit * value for value in (interval.mean, interval.low, interval.high)]
    nearest = min(map(abs, values))
    seen = (count for count in range(fewest, _MOST + 1) if round(nearest, count))
    decimals = next(seen, fewest) if interval.excludes_zero else fewest
    mean, low, high = (f"{round(value, decimals) + 0.0:+.{decimals}f}" for value in values)
    return mean, low, high
