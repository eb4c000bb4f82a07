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
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.modules import Modules
from sage_jax.learn.optimizer import make_optimizer
from sage_jax.learn.passes import Pass
from sage_jax.learn.policy import Policy
from sage_jax.learn.sequences import of_rollout
from sage_jax.learn.shards import Shards
from sage_jax.learn.state import TrainState
from sage_jax.learn.update import Update
from sage_jax.losses import Terms, guides, recipes
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
        return models.init(
            self.shape, jax.random.key(0), remat=self.remat, attend=attend, **options
        )

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
        loaded = models.Loaded(*self.model, self.shape, None)
        policy = Policy(loaded, make_mesh(data=1), compute_dtype=jnp.dtype(self.dtype))
        decoding, _ = policy.decoding(options)
        return lambda: generate(
            *self.model, self.rollout.prompt_tokens, np.ones(self.rollout.prompt_mask.shape, bool),
            jax.random.key(0), decoding,
        ).tokens  # fmt: skip

    def score(self) -> Callable[[], Any]:
        """Log-probabilities and entropies of the completions."""
        graphdef, params = self.model
        run = jax.jit(functools.partial(logprobs, graphdef, each=self._pass))
        return lambda: run(params, of_rollout(self.rollout))

    def update(self) -> Callable[[], Any]:
        """Gradients of the SAGE loss and a step of AdamW, on all weights or on adapters."""
        graphdef, params = self.model
        trained, frozen, policy = params, params, Modules(graphdef, graphdef)
        if self.sizes.adapters:
            adapted, trained = models.lora.attach(
                graphdef, params, jax.random.key(1), rank=8, alpha=16.0
            )
            policy = Modules(adapted, graphdef, 16.0)
        optimizer = make_optimizer(1e-6)
        state = TrainState.create(jax.tree.map(jnp.copy, trained), optimizer)
        loss = recipes.sage(guides.branch_guide())
        run = jax.jit(Update(policy, loss, optimizer, self._pass), donate_argnums=0)
        frozen = frozen if self.sizes.adapters else None
        return _Updating(run, state, frozen, self.rollout)

    @property
    def _pass(self) -> Pass:
        shards = one_device(self.shape.vocab_size)
        return Pass(1.0, self.micro_batch or self.sizes.rows, shards)

    def seconds(self, rounds: int) -> dict[str, list[float]]:
        """Of each phase; decode is a whole rollout without its prefill."""
        length = self.sizes.length
        first, whole = timed([self.generate(1), self.generate(length)], rounds)
        decode = [a - b for a, b in zip(whole, first, strict=True)]
        (scored,), (updated,) = timed([self.score()], rounds), timed([self.update()], rounds)
        return {"prefill": first, "decode": decode, "score": scored, "update": updated}


class _Updating:
    """Updates one after the other, since each takes the last one's memory over."""

    def __init__(self, run: Any, state: TrainState, frozen: Any, rollout: Rollout):
        self._run, self._state, self._frozen = run, state, frozen
        rows = rollout.mask.shape[0]
        ones = jnp.ones_like(rollout.mask)
        terms = Terms(
            logps=rollout.logps, mask=rollout.mask, old_logps=None, ref_logps=-8 * ones,
            entropies=ones, ref_entropies=ones, advantages=jnp.linspace(-1.0, 1.0, rows),
        )  # fmt: skip
        self._rest = (of_rollout(rollout), terms, jax.random.key(0), jnp.int32(0))

    def __call__(self) -> Any:
        self._state, metrics = self._run(self._state, self._frozen, *self._rest)
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
