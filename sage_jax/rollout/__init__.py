"""Sampling completions of prompts from a model, as one jitted program."""

from sage_jax.rollout.decoding import Decoding
from sage_jax.rollout.filters import (
    apply_filters,
    apply_min_p,
    apply_temperature,
    apply_top_k,
    apply_top_p,
    check_filters,
)
from sage_jax.rollout.generate import generate, row_keys
from sage_jax.rollout.prompts import PackedPrompts, pack_prompts, padded_length
from sage_jax.rollout.result import Finish, Rollout, completion_ids
from sage_jax.rollout.sampling import draw, greedy, sample
from sage_jax.rollout.stopping import StopTable, compile_stop_strings
from sage_jax.rollout.vocabulary import special_id, token_bytes

__all__ = [
    "Decoding",
    "Finish",
    "PackedPrompts",
    "Rollout",
    "StopTable",
    "apply_filters",
    "apply_min_p",
    "apply_temperature",
    "apply_top_k",
    "apply_top_p",
    "check_filters",
    "compile_stop_strings",
    "completion_ids",
    "draw",
    "generate",
    "greedy",
    "pack_prompts",
    "padded_length",
    "row_keys",
    "sample",
    "special_id",
    "token_bytes",
]
