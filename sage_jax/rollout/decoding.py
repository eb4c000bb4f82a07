"""How completions are sampled: one frozen value, all of it static under jit."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
from jax.typing import DTypeLike

from sage_jax.rollout.filters import check_filters

_AT_LEAST = {"group_size": 1, "max_completion_length": 1, "compactions": 0, "cache_doublings": 0}


@dataclasses.dataclass(frozen=True)
class Decoding:
    """Options of `generate`; other values compile another program.

    y_t ~ softmax(min_p(top_p(top_k(z_t)))) with z_t = logits(x, y_<t) / temperature, until a row
    writes a token of `stop_ids`, completes a string of `stop` or has `max_completion_length`
    tokens.

    Where None is the default, the value follows from model and devices, see `filled` and
    `learn.Policy.decoding`.

    Attributes:
        group_size: G, completions of each prompt.
        max_completion_length: T, in tokens, the end token included.
        temperature: 0 is greedy, with log-probabilities of temperature 1.
        top_k: keep the k likeliest tokens; 0 is off.
        top_p: keep the smallest set of tokens with at least this probability; 1 is off.
        min_p: drop tokens less likely than this share of the likeliest; 0 is off.
        stop: strings that end a row.
        stop_ids: token ids that end a row; may be empty.
        pad_id: written behind the end of a row.
        cache_dtype: of the cached keys and values.
        unroll: run the layers one by one instead of in a loop, which spares CPUs a copy of all
            weights for every token, and compiles for longer.
        compactions: how often decoding goes on with the smaller half of the rows once the other
            half has ended; each compiles one more loop.
        cache_doublings: how often the cache's room for completions is doubled, from
            T / 2^cache_doublings; attention covers the room there is, and each doubling compiles
            one more loop.

    Raises:
        ValueError: an option is out of range; the message names it.
    """

    group_size: int = 1
    max_completion_length: int = 128
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] | None = None
    pad_id: int | None = None
    cache_dtype: DTypeLike | None = None
    unroll: bool | None = None
    compactions: int | None = None
    cache_doublings: int | None = None

    def __post_init__(self):
        check_filters(
            temperature=self.temperature, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p
        )
        for name, least in _AT_LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        # Equal options are to be one program.
        kinds: dict[str, Any] = {
            "temperature": float,
            "top_p": float,
            "min_p": float,
            "stop": _strings,
            "stop_ids": tuple,
            "cache_dtype": jnp.dtype,
        }
        for name, kind in kinds.items():
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, kind(value))

    def filled(self, **values: Any) -> Decoding:
        """The same options, with `values` in the place of those that are None."""
        missing = {name: new for name, new in values.items() if getattr(self, name) is None}
        return dataclasses.replace(self, **missing)


def _strings(stop: Any) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)
