"""Blocks of a loss out of plain functions of arrays, which ask for what they read by name.

A guide, a surrogate, an estimator and a reduction may each be a function whose parameters are named
after the arrays that it reads; its other arguments are options. What such a function needs of a
trainer, and what a guide depends on, is told by what it reads, or declared by a decorator.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from . import choices, reduce
from ._arrays import Array, as_real, as_valid, keep, real_dtype
from ._options import check_options
from .compose import ANY, AnchorUse, DependsOn, Gate, Guide, TokenLoss
from .importance import Level, log_ratios
from .reduce import Mean, Metrics, Reduction
from .terms import OUTCOME, Terms, require

FIELDS = (*(field.name for field in fields(Terms)), "anchor_logps")
READABLE = (*FIELDS, "step", "key")
"""Names by which a function of arrays asks for what it reads."""
READABLE_BY_SURROGATES = (*READABLE, "ratios")
READABLE_BY_REDUCTIONS = (*FIELDS, "losses")

_OF_THE_PREFIX = {
    "mask", "entropies", "ref_entropies", "rows", "step", "key", "entropy_threshold",
    "tokens_per_row", "gate_threshold", "gate_high", "base_pass_rate",
}  # fmt: skip
_OF_THE_ANCHOR = {"anchor_logps", "log_q", "vocab_log_q"}
# What is always there: the policy's own, and what stands for `old_logps` and q where none is given.
_ALWAYS = {"logps", "mask", "old_logps", "log_q", "vocab_log_q"}


def reads(function: Callable[..., Any], names: tuple[str, ...] = READABLE) -> tuple[str, ...]:
    """Which of `names` a function asks for by the names of its parameters."""
    return tuple(name for name in inspect.signature(function).parameters if name in names)


def guide(function: Callable[..., Array], /, **options: Any) -> Guide:
    """A guide of a function of arrays, which gets the terms that its parameters are named after.

    `function(entropies, mask, **options)`, say, gives log q of shape [B, T], or [B, T, V] over the
    vocabulary; it may ask for `step` and `key` too. The result is masked and constant under the
    gradient; clip it by `bounded_log` inside. What it depends on is declared by `depends_on`, or
    told by what it reads: the vocabulary with `logits` or `ref_logits`, the prefix with masks and
    entropies alone, else the token. Raises ValueError for an option that is unknown or missing; the
    guide raises it for terms that are missing or another shape.

    >>> def calm(entropies, *, slope):
    ...     return -slope * entropies
    >>> guide(calm, slope=0.1).name, guide(calm, slope=0.1).depends_on
    ('calm', 'prefix')
    """
    label = f"the guide {_label(function)}"
    check_options(function, options, READABLE, label)

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        found = as_real(function(**_given(function, terms, label, step=step, key=key), **options))
        if found.shape[:2] != terms.mask.shape or found.ndim > 3:
            raise ValueError(
                f"{label} gives shape {found.shape}; log q must be [B, T] or [B, T, V] "
                f"with [B, T] = {terms.mask.shape}"
            )
        valid = as_valid(terms.mask)
        return jax.lax.stop_gradient(keep(valid if found.ndim == 2 else valid[..., None], found))

    kind = getattr(_inner(function), "depends_on", None) or _depends_on(reads(function))
    return Guide(log_q, _label(function), kind, _needs(function))


def surrogate(
    function: Callable[..., Any], /, *, level: Level = "token", **options: Any
) -> TokenLoss:
    """A policy-gradient loss of a function of arrays, as `surrogates.clipped`.

    It gives a loss [B, T], or [B, 1] where its arrays are so, to be minimised; or (loss, shares)
    with further metrics by name, [B, T] or [B, 1], whose means are reported. It asks by name for
    `ratios`, π_θ / π_old of each token, or at `level` "sequence" of each row, [B, 1], and for all
    that is `READABLE`; `advantages` come as [B, 1] or [B, T]. The metric `ratio/max` is added.
    Raises ValueError for another level or option, and when it runs for terms that are missing or
    another shape.
    """
    label = f"the surrogate {_label(function)}"
    _check_level(level)
    check_options(function, options, READABLE_BY_SURROGATES, label)

    def token_loss(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        ratios = jnp.exp(log_ratios(terms.logps, terms.sampling_logps, terms.mask, level=level))
        made = function(
            **_given(function, terms, label, step=step, key=key, ratios=ratios), **options
        )
        losses, shares = made if isinstance(made, tuple) else (made, {})
        losses = _shaped(as_real(losses), terms, label, rows=True)
        metrics: Metrics = {name: _share(x, name, terms, label) for name, x in shares.items()}
        metrics["ratio/max"] = reduce.maximum(ratios, _counted(ratios, terms))
        return jnp.broadcast_to(losses, terms.logps.shape), metrics

    choose = choices.made(function, options, functools.partial(_given, label=label))
    uses = (AnchorUse(label, ANY),) if _OF_THE_ANCHOR & set(reads(function)) else ()
    needs = _needs(function) | (frozenset() if choose is None else {"old_logps"})
    return TokenLoss(token_loss, uses, needs, choose)


def estimator(function: Callable[..., Array], /, *, name: str = "kl", **options: Any) -> TokenLoss:
    """The KL term of a loss of a function of arrays, as `kl.k3`; `kl_coef * estimator(k3)`.

    It asks by name for all that is `READABLE`, such as `logps` and `anchor_logps`, and gives
    [B, T]; `name` is that of the metric, its mean over valid tokens. An argument `renormalize` that
    is true, given or by default, leaves guides over the vocabulary alone to move it, whatever it
    declares by `moved_by`.
    It raises ValueError when it runs for terms that are missing or another shape.
    """
    label = f"the estimator {_label(function)}"
    check_options(function, options, READABLE, label)

    def token_loss(terms: Terms, step: ArrayLike, key: Array | None) -> tuple[Array, Metrics]:
        made = function(**_given(function, terms, label, step=step, key=key), **options)
        losses = _shaped(as_real(made), terms, label)
        return losses, {name: reduce.mean(losses, terms.valid)}

    use = anchor_use(function)
    if _value(function, options, "renormalize"):
        use = replace(use, moved_by=use.moved_by & {"vocabulary"}, renormalized=True)
    return TokenLoss(token_loss, (use,), _needs(function))


def anchor_use(function: Callable[..., Any]) -> AnchorUse:
    """What an estimator declares by `moved_by`, or that all guides move it."""
    declared = getattr(_inner(function), "anchor_use", None)
    return AnchorUse(_label(function), ANY) if declared is None else declared


def gate(function: Callable[..., Array], /, *, level: Level = "token", **options: Any) -> Gate:
    """A factor of the KL coefficient of a function of arrays, as those of `gates`.

    It asks by name for `ratios`, of tokens or at `level` "sequence" of rows, as the surrogate does,
    and for all that is `READABLE`, and gives a factor of 0 or more, [B, T] or [B, 1], which is
    masked and constant under the gradient. What says how a row, its group or its prompt came out,
    `rewards` say, is [B, 1]. `anchors.gate` takes it. Raises ValueError for another level or
    option, and when it runs for terms that are missing or another shape.
    """
    label = f"the gate {_label(function)}"
    _check_level(level)
    check_options(function, options, READABLE_BY_SURROGATES, label)

    def factor(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        ratios = jnp.exp(log_ratios(terms.logps, terms.sampling_logps, terms.mask, level=level))
        given = _given(function, terms, label, step=step, key=key, ratios=ratios)
        made = _shaped(jnp.asarray(function(**given, **options)), terms, label, rows=True)
        made = jnp.broadcast_to(made.astype(real_dtype(terms.logps)), terms.logps.shape)
        return jax.lax.stop_gradient(keep(terms.valid, made))

    choose = choices.made(function, options, functools.partial(_given, label=label))
    needs = _needs(function) | (frozenset() if choose is None else {"old_logps"})
    return Gate(factor, _label(function), needs, choose)


def reduction(function: Callable[..., Mean], /, **options: Any) -> Reduction:
    """A reduction (losses, terms) -> Mean of a function of arrays, as `reduce.grpo`.

    It asks by name for `losses` [B, T], `mask` and the other fields of `Terms`, and gives a `Mean`
    of two scalars. It sees a part of the batch where that is split, and sums and counts of parts
    are added up. When it runs it raises ValueError for anything else, and for terms that are
    missing.

    >>> losses, mask = jnp.array([[1.0, 3.0]]), jnp.ones((1, 2))
    >>> float(reduction(reduce.bnpo)(losses, Terms(losses, mask)).value())
    2.0
    """
    label = f"the reduction {_label(function)}"
    check_options(function, options, READABLE_BY_REDUCTIONS, label)

    def reduced(losses: Array, terms: Terms) -> Mean:
        made = function(**_given(function, terms, label, losses=losses), **options)
        if not isinstance(made, Mean) or jnp.ndim(made.sum) or jnp.ndim(made.count):
            raise ValueError(f"{label} gives {_form(made)}; it must be a losses.Mean of scalars")
        return Mean(as_real(made.sum), as_real(jnp.asarray(made.count)))

    return reduced


def _given(function: Callable[..., Any], terms: Terms, label: str, **beside: Any) -> dict[str, Any]:
    """The arrays that a function asks for; one that has a default and is not there is left out."""
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in beside:
            found[name] = beside[name]
        elif name in FIELDS:
            value = _read(terms, name)
            if value is None and parameter.default is parameter.empty:
                value = _no_guide(terms, name) if name in _ALWAYS else require(terms, name, label)
            if value is not None:
                found[name] = value
    return found


def _read(terms: Terms, name: str) -> Array | None:
    value = None if name == "anchor_logps" else getattr(terms, name)
    match name:
        case "anchor_logps":
            return terms.anchor_logps
        case "old_logps":
            return terms.sampling_logps
        case "advantages" if value is not None and value.ndim == 1:
            return value[:, None]
        case _ if name in OUTCOME and value is not None:
            return value[:, None]
        case "vocab_log_q" if value is None and terms.log_q is not None:
            return terms.log_q[..., None]
    return value


def _no_guide(terms: Terms, name: str) -> Array:
    none = jnp.zeros_like(terms.logps)
    return none[..., None] if name == "vocab_log_q" else none


def _needs(function: Callable[..., Any]) -> frozenset[str]:
    """The fields of `Terms` that a trainer has to fill for a function."""
    asked = {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if name in FIELDS and parameter.default is parameter.empty
    }
    asked -= _ALWAYS | {"chosen"}  # Which the loss itself fills in, see `choices.chosen_by`.
    return frozenset("ref_logps" if name == "anchor_logps" else name for name in asked)


def _depends_on(names: tuple[str, ...]) -> DependsOn:
    if {"logits", "ref_logits", "vocab_log_q"} & set(names):
        return "vocabulary"
    return "prefix" if _OF_THE_PREFIX.issuperset(names) else "token"


def _check_level(level: str) -> None:
    if level not in ("token", "sequence"):
        raise ValueError(f"level is {level!r}; it must be token or sequence")


def _shaped(values: Array, terms: Terms, label: str, *, rows: bool = False) -> Array:
    shape = terms.logps.shape
    if values.shape != shape and not (rows and values.shape == (shape[0], 1)):
        must = f"[B, T] = {shape}" + (" or [B, 1]" if rows else "")
        raise ValueError(f"{label} gives shape {values.shape}; it must be {must}")
    return values


def _share(values: Array, name: str, terms: Terms, label: str) -> Mean:
    values = _shaped(jnp.asarray(values), terms, f"{label}, metric {name},", rows=True)
    return reduce.mean(values, _counted(values, terms))


def _counted(values: Array, terms: Terms) -> Array:
    """Which entries of [B, T], or of [B, 1], count."""
    whole = values.shape == terms.logps.shape
    return terms.valid if whole else terms.valid.any(axis=-1, keepdims=True)


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    return _inner(function.func) if isinstance(function, functools.partial) else function


def _value(function: Callable[..., Any], options: dict[str, Any], name: str) -> Any:
    """What an option will be: as given, as bound by a partial, or its default; else None."""
    parameter = inspect.signature(function).parameters.get(name)
    known = None if parameter is None or parameter.default is parameter.empty else parameter.default
    return options.get(name, known)


def _label(function: Callable[..., Any]) -> str:
    return getattr(_inner(function), "__name__", "of one's own")


def _form(made: Any) -> str:
    shape = getattr(made, "shape", None)
    return type(made).__name__ if shape is None else f"shape {shape}"
