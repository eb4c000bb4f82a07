"""Float32 copies of weights that are kept narrower, so that small updates add up."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import DTypeLike


class MastersState(NamedTuple):
    """State of `float32_masters`.

    Attributes:
        masters: the weights in float32, of which the params are the rounding.
        inner: of the optimiser within.
    """

    masters: Any
    inner: optax.OptState


def float32_masters(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    r"""An optimiser whose weights are float32 while the params stay as narrow as they are.

        m_{t+1} = m_t + inner(g_t; m_t),    p_{t+1} = round(m_{t+1})

    A bfloat16 holds 8 bits of a weight: an update below 1/512 of it is rounded away, and a learning
    rate of 5e-6 moves next to none. The masters, and the moments of the optimiser within, start as
    the params do and are exactly those of a float32 run that is given the same gradients.

    The updates returned are p_{t+1} - p_t in float32. `optax.apply_updates` gives p_{t+1} of them,
    but where a weight shrinks to less than 2^-16 of itself at once; `settle` gives it always.

    Args:
        inner: sees gradients and weights in float32.

    Source: Micikevicius et al., Mixed precision training, 2018, section 3.1.
    """

    def init(params: Any) -> MastersState:
        masters = widened(params)
        return MastersState(masters, inner.init(masters))

    def update(grads: Any, state: MastersState, params: Any = None) -> tuple[Any, MastersState]:
        if params is None:
            raise ValueError("float32_masters.update needs the params")
        changes, inner_state = inner.update(widened(grads), state.inner, state.masters)
        state = MastersState(optax.apply_updates(state.masters, changes), inner_state)
        new = settle(params, state)
        return jax.tree.map(jnp.subtract, widened(new), widened(params)), state

    return optax.GradientTransformation(init, update)  # type: ignore[arg-type]


def settle(params: Any, opt_state: optax.OptState) -> Any:
    """The params as the masters round to in the params' dtypes, or as they are without masters."""
    if not isinstance(opt_state, MastersState):
        return params
    return jax.tree.map(lambda p, m: m.astype(p.dtype), params, opt_state.masters)


def precise(params: Any, opt_state: optax.OptState) -> Any:
    """The weights as the optimiser keeps them: its masters, or the params without any."""
    return opt_state.masters if isinstance(opt_state, MastersState) else params


def widened(tree: Any) -> Any:
    """A tree's arrays in float32, or in their own dtype if that is wider."""
    return jax.tree.map(lambda x: x.astype(wide(x.dtype)), tree)


def wide(dtype: DTypeLike) -> Any:
    """Float32, or the dtype itself if it is no narrower."""
    return dtype if jnp.dtype(dtype).itemsize >= 4 else jnp.float32
