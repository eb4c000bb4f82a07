"""Shaping the anchor: π_ref becomes q · π_ref, and where it holds: kl_coef becomes g · kl_coef."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import jax.numpy as jnp
from jax.typing import ArrayLike

from . import by_name, reduce
from ._arrays import Array
from ._metrics import union
from .compose import Gate, Guide, TermTransform, TokenLoss, one_choice
from .reduce import Metrics
from .terms import Terms, require


def reshape(guide: Guide | Callable[..., Array]) -> TermTransform:
    """The transform that multiplies the anchor by the guide: anchor_logps += log_q.

    `terms.log_q` grows by the guide's value, so that several guides chain to the product of their
    q; `terms.ref_logps` stays the plain reference, for guides further on that look at it, and
    `terms.anchor_logps` is the sum. A guide may return [B, T], or [B, T, V] to reshape the whole
    next-token distribution, which the `exact` estimators can see; then `terms.tokens` is needed.
    Any callable with the signature of a `Guide` will do, and a function of arrays by the names of
    its parameters, see `by_name.guide`. Raises ValueError for any other guide or shape.
    """
    guide = _as_guide(guide)

    def reshaped(terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        log_q = guide(terms, step=step, key=key).astype(terms.logps.dtype)
        shape = terms.logps.shape
        if log_q.shape == shape:
            return _multiplied(terms, log_q)
        if log_q.ndim == 3 and log_q.shape[:2] == shape:
            return _multiplied_by_vocabulary(terms, log_q)
        must = f"a guide gives [B, T] = {shape} or [B, T, V]"
        raise ValueError(f"log_q has shape {log_q.shape}; {must}")

    return TermTransform(reshaped, (guide,) if isinstance(guide, Guide) else ())


def gate(divergence: TokenLoss, *gates: Gate | Callable[..., Array]) -> TokenLoss:
    """The divergence times the product of all gates, token by token: where the anchor holds.

    A gate is one of `by_name.gate`, or a function of arrays by the names of its parameters, such as
    those in `gates`. The metrics of the divergence stay those of all tokens; `kl/gate` is the mean
    factor. Without gates the divergence as it is.

    >>> from .gates import wrong
    >>> from .kl import reverse_kl
    >>> sorted(gate(reverse_kl(), wrong).needs)
    ['ref_logps', 'right']
    """
    if not gates:
        return divergence
    made = [*map(as_gate, gates)]

    def gated(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        losses, metrics = divergence(terms, step=step, key=key)
        factor = product(made, terms, step=step, key=key)
        share: Metrics = {"kl/gate": reduce.mean(factor, terms.valid)}
        return losses * factor, union(metrics, share)

    needs = divergence.needs.union(*(one.needs for one in made))
    choose = one_choice(divergence.choose, *(one.choose for one in made))
    return TokenLoss(gated, divergence.anchor_uses, needs, choose)


def product(
    gates: Sequence[Gate | Callable[..., Array]],
    terms: Terms,
    *,
    step: ArrayLike,
    key: Array | None,
) -> Array:
    """The product of gates, [B, T]; 1 where there are none."""
    start = jnp.ones_like(terms.logps)
    return math.prod((as_gate(one)(terms, step=step, key=key) for one in gates), start=start)


def as_gate(given: Gate | Callable[..., Array]) -> Gate:
    """A gate as it is, a function of arrays as one."""
    return given if isinstance(given, Gate) else by_name.gate(given)


def _as_guide(given: Callable[..., Array]) -> Callable[..., Array]:
    """A guide as it is, or as (terms, *, step, key) -> log q; a function of arrays as a guide."""
    if isinstance(given, Guide):
        return given
    names = set(inspect.signature(given).parameters) if callable(given) else set()
    if "terms" in names or (names >= {"step", "key"} and not names & set(by_name.FIELDS)):
        return given
    if names & set(by_name.READABLE):
        return by_name.guide(given)
    said = getattr(given, "__name__", repr(given))
    raise ValueError(
        f"guide is {said}; it must be a losses.Guide, as guides.branch_guide(), or a function that "
        "asks for arrays by name, as (entropies, mask)"
    )


def _multiplied(terms: Terms, log_q: Array) -> Terms:
    vocab_log_q = terms.vocab_log_q
    if vocab_log_q is not None:
        vocab_log_q = vocab_log_q + log_q[..., None]
    total = log_q if terms.log_q is None else terms.log_q + log_q
    return replace(terms, log_q=total, vocab_log_q=vocab_log_q)


def _multiplied_by_vocabulary(terms: Terms, log_q: Array) -> Terms:
    tokens = require(terms, "tokens", "a guide over the vocabulary")
    if terms.vocab_log_q is None and terms.log_q is not None:
        terms = replace(terms, vocab_log_q=jnp.broadcast_to(terms.log_q[..., None], log_q.shape))
    total = log_q if terms.vocab_log_q is None else terms.vocab_log_q + log_q
    sampled = jnp.take_along_axis(total, tokens[..., None], axis=-1)[..., 0]
    return replace(terms, log_q=sampled, vocab_log_q=total)
