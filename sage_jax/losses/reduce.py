"""From per-token numbers to one: additive (sum, count) pairs, and the loss normalisers.

Every result is a monoid: `a.merge(b)` of two parts of a batch is the result of the whole, and
`value()` is called once, at the very end. A loss that is split into micro-batches or over devices
therefore gives the same number and the same gradient as the whole batch: differentiate `sum`,
add the gradients up, divide by the added `count`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from ._arrays import Array, as_real, as_valid, count, like, masked_sum
from .terms import Terms

# Those that a config may name, functions of (losses, mask, ...) -> Mean; the rest is for building
# losses, and `by_name.reduction` makes what `objectives.objective` takes.
__all__ = ["bnpo", "dapo", "dr_grpo", "grpo"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Mean:
    """A mean kept as its sum and its count, scalars both.

    >>> left, right = Mean(jnp.array(3.0), jnp.array(2.0)), Mean(jnp.array(5.0), jnp.array(2.0))
    >>> left.merge(right), float(left.merge(right))
    (Mean(2), 2.0)
    """

    sum: Array
    count: Array

    def merge(self, other: "Mean") -> "Mean":
        """The mean over both parts."""
        return Mean(self.sum + other.sum, self.count + other.count)

    def value(self) -> Array:
        """The mean, sum / count, and 0 when nothing was counted."""
        empty = self.count == 0
        return jnp.where(empty, 0.0, self.sum / jnp.where(empty, 1.0, self.count))

    def __float__(self) -> float:
        return float(self.value())

    def __repr__(self) -> str:
        return _shown(self, self.sum, self.count)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Min:
    """A minimum; +inf when nothing was seen."""

    minimum: Array

    def merge(self, other: "Min") -> "Min":
        """The minimum over both parts."""
        return Min(jnp.minimum(self.minimum, other.minimum))

    def value(self) -> Array:
        """The minimum."""
        return self.minimum

    def __float__(self) -> float:
        return float(self.value())

    def __repr__(self) -> str:
        return _shown(self, self.minimum)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Max:
    """A maximum; -inf when nothing was seen."""

    maximum: Array

    def merge(self, other: "Max") -> "Max":
        """The maximum over both parts."""
        return Max(jnp.maximum(self.maximum, other.maximum))

    def value(self) -> Array:
        """The maximum."""
        return self.maximum

    def __float__(self) -> float:
        return float(self.value())

    def __repr__(self) -> str:
        return _shown(self, self.maximum)


Metric = Mean | Min | Max
Metrics = dict[str, Metric]
Reduction = Callable[[Array, Terms], Mean]


def mean(values: Array, mask: Array) -> Mean:
    """Mean of the valid entries; `values` and `mask` have one shape."""
    values, valid = as_real(values), as_valid(mask)
    return Mean(masked_sum(values, valid), count(valid, values.dtype))


def minimum(values: Array, mask: Array) -> Min:
    """Minimum of the valid entries; `values` and `mask` have one shape."""
    return Min(jnp.min(as_real(values), initial=jnp.inf, where=as_valid(mask)))


def maximum(values: Array, mask: Array) -> Max:
    """Maximum of the valid entries; `values` and `mask` have one shape."""
    return Max(jnp.max(as_real(values), initial=-jnp.inf, where=as_valid(mask)))


def merge(left: Mapping[str, Metric], right: Mapping[str, Metric]) -> Metrics:
    """Metrics of two parts of a batch, name by name, as metrics of the whole.

    Raises ValueError when the parts do not have the same names and kinds.
    """
    if left.keys() != right.keys():
        odd = sorted(left.keys() ^ right.keys())
        raise ValueError(f"metrics: {odd} are in one part only; both parts need the same names")
    return {name: _merge_one(name, left[name], right[name]) for name in left}


def values(metrics: Mapping[str, Metric]) -> dict[str, Array]:
    """The number behind every metric, still on the device."""
    return {name: metric.value() for name, metric in metrics.items()}


def grpo(losses: Array, mask: Array) -> Mean:
    """Mean over sequences of each sequence's mean over its tokens (GRPO, arXiv 2402.03300, eq. 3).

    `losses`, `mask` [B, T]; the count is B. A row without any valid token adds 0 and is counted,
    as when truncated completions are masked out.

    >>> loss = jnp.array([[1.0, 3.0], [4.0, 9.0]])
    >>> float(grpo(loss, jnp.array([[1.0, 1.0], [1.0, 0.0]])).value())
    3.0
    """
    losses, valid = as_real(losses), as_valid(mask)
    tokens = jnp.maximum(count(valid, losses.dtype, axis=-1), 1.0)
    per_row = masked_sum(losses, valid, axis=-1) / tokens
    return Mean(jnp.sum(per_row), jnp.asarray(losses.shape[0], losses.dtype))


def bnpo(losses: Array, mask: Array) -> Mean:
    """Mean over all the valid tokens that are reduced together; the count is their number.

    >>> loss = jnp.array([[1.0, 3.0], [5.0, 9.0]])
    >>> bnpo(loss, jnp.array([[1.0, 1.0], [1.0, 0.0]]))
    Mean(3)
    """
    return mean(losses, mask)


def dr_grpo(losses: Array, mask: Array, *, max_completion_length: int) -> Mean:
    """Sum over tokens divided by a constant length (Dr. GRPO, arXiv 2503.20783, section 3.2).

    `losses`, `mask` [B, T]; the count is B · max_completion_length.
    Raises ValueError for a length below 1.

    >>> loss = jnp.array([[1.0, 3.0], [5.0, 9.0]])
    >>> dr_grpo(loss, jnp.array([[1.0, 1.0], [1.0, 0.0]]), max_completion_length=10)
    Mean(0.45)
    """
    if max_completion_length < 1:
        raise ValueError(
            f"max_completion_length is {max_completion_length}; it must be at least 1 token"
        )
    losses, valid = as_real(losses), as_valid(mask)
    total = losses.shape[0] * max_completion_length
    return Mean(masked_sum(losses, valid), jnp.asarray(total, losses.dtype))


def dapo(losses: Array, mask: Array, *, tokens_per_row: Array | None = None) -> Mean:
    """Sum over tokens divided by the tokens of the whole rollout batch (DAPO, arXiv 2503.14476).

    `losses`, `mask` [B, T]. `tokens_per_row`, scalar or [B], is the mean number of valid tokens a
    row over the whole rollout batch, of which these rows may be a part; the count is its sum over
    these rows. None takes the tokens of these rows alone, which is then the same as `bnpo`.

    >>> loss, mask = jnp.array([[1.0, 3.0]]), jnp.ones((1, 2))
    >>> dapo(loss, mask, tokens_per_row=jnp.array([4.0]))  # Other rows are longer.
    Mean(1)
    """
    if tokens_per_row is None:
        return mean(losses, mask)
    losses, valid = as_real(losses), as_valid(mask)
    per_row = jnp.broadcast_to(like(tokens_per_row, losses), losses.shape[:1])
    return Mean(masked_sum(losses, valid), jnp.sum(per_row))


def _merge_one(name: str, left: Metric, right: Metric) -> Metric:
    if isinstance(left, Mean) and isinstance(right, Mean):
        return left.merge(right)
    if isinstance(left, Min) and isinstance(right, Min):
        return left.merge(right)
    if isinstance(left, Max) and isinstance(right, Max):
        return left.merge(right)
    kinds = f"{type(left).__name__} and {type(right).__name__}"
    raise ValueError(f"metric {name!r} is {kinds} in the two parts; it must be of one kind")


def _shown(metric: Metric, *parts: Array) -> str:
    """The number behind a metric; its parts where there is none, as under a transformation."""
    try:
        said = f"{float(metric):.6g}"
    except (TypeError, ValueError, RuntimeError):
        said = ", ".join(map(repr, parts))
    return f"{type(metric).__name__}({said})"
