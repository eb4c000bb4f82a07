"""What a rollout returns, and views of it."""

import dataclasses
import enum
import functools
from typing import Any

import jax
import numpy as np


class Finish(enum.IntEnum):
    """Why a row stopped: out of room, by a stop token, or by a stop string."""

    LENGTH = 0
    STOP_TOKEN = 1
    STOP_STRING = 2


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("prompt_tokens", "prompt_mask", "tokens", "mask", "logps", "finish"),
    meta_fields=(),
    drop_fields=("problems",),
)
@dataclasses.dataclass(frozen=True)
class Rollout:
    """N prompts with G sampled completions each; the B = N·G rows of a prompt are adjacent.

    Attributes:
        prompt_tokens: [N, P] int32, left-padded.
        prompt_mask: [N, P] bool, true on the prompt's tokens.
        tokens: [B, T] int32, the completions, padded on the right.
        mask: [B, T] float32, 1 on completion tokens up to and including the one that ended the
            row, 0 after it.
        logps: [B, T] float32, in nats, log-probability of each token under the
            temperature-scaled policy before top-k, top-p and min-p; 0 where the mask is 0.
        finish: [B] int32, a `Finish`.
        problems: what each of the B completions answers, where that was given. On the host only: a
            transformation of JAX leaves it behind.
    """

    prompt_tokens: jax.Array
    prompt_mask: jax.Array
    tokens: jax.Array
    mask: jax.Array
    logps: jax.Array
    finish: jax.Array
    problems: tuple[Any, ...] = ()

    @property
    def group_size(self) -> int:
        """G, completions per prompt."""
        return self.tokens.shape[0] // self.prompt_tokens.shape[0]


def completion_ids(rollout: Rollout) -> list[list[int]]:
    """The completions as lists of token ids without padding, on the host; B lists."""
    tokens, mask = np.asarray(rollout.tokens), np.asarray(rollout.mask) > 0
    return [row[kept].tolist() for row, kept in zip(tokens, mask, strict=True)]
