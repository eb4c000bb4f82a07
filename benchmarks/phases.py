"""The phases of a step, each as a function that runs it once and waits for it.

Built from random weights of a shape and random tokens, with rows of full length.
"""

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from work import Sizes

from sage_jax import models
from sage_jax.learn import Learner, LoRA, Policy
from sage_jax.learn.optimizer import make_optimizer
from sage_jax.learn.placement import place
from sage_jax.learn.shards import Shards
from sage_jax.losses import guides, recipes
from sage_jax.parallel import make_mesh
from sage_jax.rollout import Decoding, Rollout, generate
from sage_jax.setup import attention


@dataclasses.dataclass(frozen=True)
class Phases:
    """What runs the phases.

    Attributes:
        shape: of the model.
        sizes: of the work.
        dtype: of weights, activations and cache.
        micro_batch: rows in one pass of scoring and updating.
        remat: what the update computes again.
        attention: how scoring and update attend.
    """

    shape: models.ModelConfig
    sizes: Sizes
    dtype: str = "float32"
    micro_batch: int = 0
    remat: Any = "dots"
    attention: str = "plain"

    @functools.cached_property
    def model(self) -> tuple[Any, Any]:
        """The static half, and random weights."""
        options: Any = {
            "compute_dtype": jnp.dtype(self.dtype),
            "param_dtype": jnp.dtype(self.dtype),
        }
        attend = attention(self.attention, make_mesh(data=1))
        graphdef, params = models.init(
            self.shape, jax.random.key(0), remat=self.remat, attend=attend, **options
        )
        return graphdef, place(make_mesh(data=1), params)

    @functools.cached_property
    def rollout(self) -> Rollout:
        """Random prompts and completions of full length."""
        draw = np.random.default_rng(0)
        prompts = (self.sizes.prompts, self.sizes.prompt_length)
        own = (self.sizes.rows, self.sizes.length)
        tokens = [draw.integers(0, self.shape.vocab_size, of, np.int32) for of in (prompts, own)]
        return Rollout(
            prompt_tokens=jnp.array(tokens[0]), prompt_mask=jnp.ones(prompts, bool),
            tokens=jnp.array(tokens[1]), mask=jnp.ones(own, jnp.float32),
            logps=jnp.zeros(own, jnp.float32), finish=jnp.zeros(own[0], jnp.int32),
        )  # fmt: skip

    def generate(self, length: int) -> Callable[[], Any]:
        """Rollouts of that many new tokens, all rows kept: 1 is the prefill, and a draw."""
        options = Decoding(
            group_size=self.sizes.group, max_completion_length=length, stop_ids=(), pad_id=0,
            compactions=0,
        )  # fmt: skip
        decoding, _ = self.learner.policy.decoding(options)
        return lambda: generate(
            *self.model, self.rollout.prompt_tokens, np.ones(self.rollout.prompt_mask.shape, bool),
            jax.random.key(0), decoding,
        ).tokens  # fmt: skip

    @functools.cached_property
    def learner(self) -> Learner:
        """SAGE and AdamW, on all weights or on adapters."""
        lora = LoRA(rank=8, alpha=16.0) if self.sizes.adapters else None
        loaded = models.Loaded(*self.model, self.shape, None)
        policy = Policy(loaded, make_mesh(data=1), lora, jnp.dtype(self.dtype))
        return Learner(
            policy, loss=recipes.sage(guides.branch_guide()), optimizer=make_optimizer(1e-6),
            micro_batch=self.micro_batch, packing=False,
        )  # fmt: skip

    def score(self) -> Callable[[], Any]:
        """Log-probabilities and entropies of the completions under the reference."""
        learner = self.learner
        state, prepared = learner.init(jax.random.key(1)), learner.prepare(self.rollout)
        return lambda: learner.terms(state, prepared)

    def update(self) -> Callable[[], Any]:
        """Gradients of the SAGE loss and a step of AdamW."""
        return _Updating(self.learner, self.rollout)

    def seconds(self, rounds: int) -> dict[str, list[float]]:
        """Of each phase; decode is a whole rollout without its prefill."""
        length = self.sizes.length
        first, whole = timed([self.generate(1), self.generate(length)], rounds)
        decode = [a - b for a, b in zip(whole, first, strict=True)]
        (scored,), (updated,) = timed([self.score()], rounds), timed([self.update()], rounds)
        return {"prefill": first, "decode": decode, "score": scored, "update": updated}


class _Updating:
    """Updates one after the other, since each takes the last one's memory over."""

    def __init__(self, learner: Learner, rollout: Rollout):
        self._learner, self._state = learner, learner.init(jax.random.key(1))
        self._prepared = learner.prepare(rollout)
        self._terms = learner.terms(self._state, self._prepared)
        self._rewards = np.linspace(-1.0, 1.0, len(rollout.tokens))

    def __call__(self) -> Any:
        self._state, metrics, _ = self._learner.apply(
            self._state, self._prepared, self._terms, self._rewards, step=0
        )
        return metrics


def one_device(vocab_size: int) -> Shards:
    """Nothing is split over devices; blocks of the vocabulary as training takes them."""
    return Shards.of(make_mesh(data=1), vocab_size)


def timed(functions: list[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """Seconds of each function, in turn; all of them run once before."""
    for function in functions:
        jax.block_until_ready(function())
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, of in zip(functions, seconds, strict=True):
            begun = time.perf_counter()
            jax.block_until_ready(function())
            of.append(time.perf_counter() - begun)
    return seconds
