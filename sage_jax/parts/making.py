"""Parts of a loss, from the function that was found to the value that `losses` composes.

Each is tried on arrays' shapes, where nothing is computed: what does not fit is told before any
work starts, as one line that names the field.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sage_jax.faults import ConfigError
from sage_jax.losses import Gate, Guide, Terms, TokenLoss, by_name, importance, recipes, reshape
from sage_jax.losses.reduce import Reduction
from sage_jax.losses.terms import OUTCOME, clean
from sage_jax.parts.resolve import Part
from sage_jax.parts.rooms import ESTIMATORS
from sage_jax.telling import brief

_VOCABULARY = 2**15  # Large enough for any top-k; of shapes alone.


def shapes(rows: int, length: int, *, vocabulary: bool = True) -> Terms:
    """`Terms` of `rows` completions of `length` tokens, shapes instead of arrays.

    Args:
        rows: B.
        length: T.
        vocabulary: whether there are logits, and the tokens that come with them.
    """
    real = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    by_token = (
        "logps",
        "mask",
        "old_logps",
        "ref_logps",
        "entropies",
        "ref_entropies",
        "sampler_logps",
        "log_q",
    )
    terms = {name: real((rows, length)) for name in by_token}
    by_row = ("advantages", "entropy_threshold", "tokens_per_row", "gate_threshold", "gate_high")
    terms |= {name: real((rows,)) for name in (*by_row, *OUTCOME)}
    terms |= {name: jax.ShapeDtypeStruct((rows,), jnp.int32) for name in ("rows", "modes")}
    if vocabulary:
        terms |= {name: real((rows, length, _VOCABULARY)) for name in ("logits", "ref_logits")}
        terms["tokens"] = jax.ShapeDtypeStruct((rows, length), jnp.int32)
    return Terms(**terms)  # type: ignore[arg-type]


def guide(part: Part, like: Terms, *, max_steps: int) -> Guide | None:
    """The guide of a function of arrays, or the one that any other function makes.

    Args:
        part: of `GUIDES`.
        like: as of `shapes`.
        max_steps: of schedules.

    Raises:
        ConfigError: if it is neither, or does not fit.
    """
    if not by_name.reads(part.function):
        made = part.call(max_steps=max_steps)
        if made is None or isinstance(made, Guide):
            _refuse_logits(part, made, like)
            return made
        raise ConfigError(
            f"{part.field}: {part.spec.use} gives {brief(made)} and not a guide: let it ask for "
            f"arrays by name ({', '.join(by_name.READABLE)}) and give log q, or make a losses.Guide"
        )
    part = _giving(part, "an array [B, T] of log q")
    made = by_name.guide(part.bound(max_steps=max_steps))
    _try(part, reshape(made), like)
    return made


def _refuse_logits(part: Part, made: Guide | None, like: Terms) -> None:
    asked = made.needs & {"logits", "ref_logits"} if made else set()
    if asked and like.logits is None:
        raise ConfigError(
            f"{part.field}: {part.spec.use} reads {' and '.join(sorted(asked))}, which there are "
            "none of before the rewards: set loss.kl_in loss or advantage"
        )


def surrogate(part: Part, like: Terms, *, level: importance.Level) -> TokenLoss:
    """The surrogate of a function of arrays; see `by_name.surrogate`.

    Raises:
        ConfigError: if it asks for none, or does not fit.
    """
    _refuse_blind(part, by_name.READABLE_BY_SURROGATES)
    part = _giving(part, "an array [B, T] of losses")
    made = by_name.surrogate(part.bound(), level=level)

    def whole(terms: Terms, *, step: Any, key: Any) -> Any:
        chosen = made.choose(terms, step=step, key=key) if made.choose else terms
        return made(clean(chosen), step=step, key=key)

    _try(part, whole, like)
    return made


def estimator(part: Part, like: Terms, *, kl_in: recipes.KLIn | None) -> TokenLoss:
    """The estimator of a function of arrays; see `by_name.estimator`.

    Args:
        part: of `ESTIMATORS`.
        like: as of `shapes`.
        kl_in: what it is a term of; None where there is no KL.

    Raises:
        ConfigError: if it asks for no arrays, does not fit, or does nothing where it stands.
    """
    _refuse_blind(part, by_name.READABLE)
    use, name = by_name.anchor_use(part.function), part.spec.use
    if kl_in == "reward" and not use.in_reward:
        raise ConfigError(
            "loss.kl_in reward takes the log-ratio itself off the reward, which is "
            f"{part.field} {_which(lambda use: use.in_reward)}, not {name!r}"
        )
    if kl_in == "loss" and not use.has_gradient:
        raise ConfigError(
            f"{part.field} {name!r} in the loss has an expected gradient of zero: set loss.kl_in "
            f"reward or advantage, or take {_which(lambda use: use.has_gradient)}"
        )
    part = _giving(part, "an array [B, T]")
    made = by_name.estimator(part.bound())
    _try(part, made, like)
    return made


def gate(part: Part, like: Terms, *, level: importance.Level, kl_in: recipes.KLIn) -> Gate:
    """The gate of a function of arrays; see `by_name.gate`.

    Args:
        part: of `GATES`.
        like: as of `shapes`.
        level: of the ratios that it may read.
        kl_in: what the KL is a term of.

    Raises:
        ConfigError: if it asks for none, does not fit, or for what there is not yet.
    """
    _refuse_blind(part, by_name.READABLE_BY_SURROGATES)
    part = _giving(part, "a factor [B, T] or [B, 1]")
    made = by_name.gate(part.bound(), level=level)
    _try(part, made, like)
    if late := sorted(made.needs & _LATER[kl_in]):
        raise ConfigError(
            f"{part.field}: {part.spec.use} reads {late[0]}, which there are none of yet where "
            f"loss.kl_in is {kl_in}"
        )
    return made


_LATER: dict[recipes.KLIn, set[str]] = {
    "loss": set(),
    "reward": {"advantages", "logits", "ref_logits", "tokens"},
    "advantage": set(),
}
"""Fields of `Terms` that are not known yet where the KL is taken off."""


def reduction(part: Part, like: Terms, *, max_completion_length: int) -> Reduction:
    """The reduction of a function of arrays; see `by_name.reduction`.

    Raises:
        ConfigError: if it asks for none, or does not fit.
    """
    _refuse_blind(part, by_name.READABLE_BY_REDUCTIONS)
    part = _giving(part, "a losses.Mean of two scalars")
    made = by_name.reduction(part.bound(max_completion_length=max_completion_length))
    _try(part, lambda terms, *, step, key: made(terms.logps, terms), like)
    return made


def advantage(part: Part, like: Terms, *, group_size: int) -> Callable[..., jax.Array]:
    """The rule of advantages of a function: rewards [B] and what it asks for -> [B].

    Args:
        part: of `ADVANTAGES`.
        like: as of `shapes`.
        group_size: completions of a prompt.

    Raises:
        ConfigError: if it does not fit, or does not give [B] for [B].
    """
    if not (part.spec.is_foreign or part.options):
        return part.bound()

    def follow(rewards: jax.Array, terms: Terms, step: jax.Array, key: jax.Array) -> Any:
        offered = {"rewards": rewards, "terms": terms, "group_size": group_size}
        offered |= {"step": step, "key": key}
        for first in [*inspect.signature(part.function).parameters][:1]:
            offered.pop(first, None)  # What it works on, not by name.
        return part.bound(**offered)(rewards)

    step, key = jax.ShapeDtypeStruct((), jnp.int32), jax.eval_shape(lambda: jax.random.key(0))
    with part.explained():
        found = jax.eval_shape(follow, like.rewards, like, step, key)
    if getattr(found, "shape", None) != like.mask.shape[:1]:
        hint = " (is a return missing?)" if found is None else ""
        raise ConfigError(
            f"{part.field}: {part.spec.use} gives {brief(found)} for rewards of shape "
            f"{like.mask.shape[:1]}; advantages have the shape of rewards{hint}"
        )
    return part.bound()


def _which(holds: Callable[[Any], bool]) -> str:
    names = ESTIMATORS.names()
    return " or ".join(
        repr(name) for name in names if holds(by_name.anchor_use(ESTIMATORS.get(name)))
    )


def _refuse_blind(part: Part, names: tuple[str, ...]) -> None:
    if not by_name.reads(part.function, names):
        raise ConfigError(
            f"{part.field}: {part.spec.use} asks for no array: its parameters are to be named "
            f"after what it reads ({', '.join(names)})"
        )


def _giving(part: Part, needed: str) -> Part:
    """The part with a function that is refused where it gives nothing."""

    @functools.wraps(part.function)
    def giving(*args: Any, **options: Any) -> Any:
        made = part.function(*args, **options)
        if made is None:
            raise ConfigError(
                f"{part.field}: {part.spec.use} gives None; {needed} is needed (is a return "
                "missing?)"
            )
        return made

    return dataclasses.replace(part, function=giving) if part.spec.is_foreign else part


def _try(part: Part, made: Callable[..., Any], like: Terms) -> None:
    """Trace what was made, unless it is one of ours as it comes."""
    if not (part.spec.is_foreign or part.options):
        return

    def run(terms: Terms, step: jax.Array, key: jax.Array) -> Any:
        return made(clean(terms), step=step, key=key)

    key = jax.eval_shape(lambda: jax.random.key(0))
    with part.explained():
        jax.eval_shape(run, like, jax.ShapeDtypeStruct((), jnp.int32), key)
