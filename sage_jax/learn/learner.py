"""The three compiled steps, rollout, score and update, and the whole of them as one."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding

from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.packing import Packing, fit
from sage_jax.learn.policy import Policy
from sage_jax.learn.sequences import Sequences, of_rollout, split_groups
from sage_jax.learn.shards import Shards
from sage_jax.learn.state import TrainState
from sage_jax.learn.update import Loss, merge_stacked, update
from sage_jax.losses import Terms, reduce
from sage_jax.losses.terms import with_batch_statistics
from sage_jax.rollout import Rollout


@dataclasses.dataclass(frozen=True)
class Steps:
    """What is fixed while training; every method is a pure function of its arguments.

    Attributes:
        policy: modules and how arrays make them up.
        loss: (terms, *, step, key) -> (Mean, metrics).
        advantages: (rewards [B], terms, *, step, key) -> [B]; a KL in the reward reads the terms.
        optimizer: an optax transformation.
        sampler: (graphdef, params, prompt_tokens, prompt_mask, key) -> Rollout.
        temperature: of the policy.
        micro_batch: rows in one pass.
        share_rows: whether completions share rows where the caller knows their lengths.
        shards: that rows and vocabulary are split over.
        num_minibatches: M updates that each rollout is split into.
        epochs: passes over each rollout.
        needs_policy: score the policy before the first update.
        needs_reference: score the reference.
        full_vocabulary: the loss reads logits.
        top_entropy_quantile: share of tokens the policy gradient uses.
    """

    policy: Policy
    loss: Loss
    advantages: Callable[..., jax.Array]
    optimizer: optax.GradientTransformation
    sampler: Callable[..., Rollout]
    temperature: float
    micro_batch: int
    shards: Shards
    share_rows: bool = True
    num_minibatches: int = 1
    epochs: int = 1
    needs_policy: bool = False
    needs_reference: bool = True
    full_vocabulary: bool = False
    top_entropy_quantile: float = 1.0

    def rollout(
        self, trained: Any, frozen: Any, prompt_tokens: jax.Array, prompt_mask: jax.Array,
        key: jax.Array,
    ) -> Rollout:  # fmt: skip
        """Complete N prompts, `group_size` times each."""
        graphdef, params = self.policy.decoder(trained, frozen)
        return self.sampler(graphdef, params, prompt_tokens, prompt_mask, key)

    def pack(self, lengths: np.ndarray, rollout: Rollout) -> Packing | None:
        """How completions of these lengths are to share rows, if that spares any."""
        if not self.share_rows or self.full_vocabulary:
            return None
        return fit(
            lengths,
            group_size=rollout.group_size,
            prompt_length=rollout.prompt_tokens.shape[1],
            length=rollout.tokens.shape[1],
            micro_batch=self.micro_batch,
            updates=self.num_minibatches,
            shards=self.shards.rows,
        )

    def score(
        self, trained: Any, frozen: Any, rollout: Rollout, packing: Packing | None = None
    ) -> Terms:
        """All that an update needs to know of a rollout but its rewards, which come later.

        `logps` are placeholders; the update computes its own.
        """
        sequences = of_rollout(rollout)
        knobs: dict[str, Any] = {
            "temperature": self.temperature, "micro_batch": self.micro_batch,
            "shards": self.shards,
        }  # fmt: skip
        terms = Terms(logps=rollout.logps, mask=rollout.mask, sampler_logps=rollout.logps)
        if self.needs_policy:
            params = self.policy.params(trained, frozen)
            logps, entropies = logprobs(self.policy.graphdef, params, sequences, packing, **knobs)
            terms = dataclasses.replace(terms, logps=logps, old_logps=logps, entropies=entropies)
        if self.needs_reference:
            reference = self.policy.reference_graphdef
            logps, entropies = logprobs(reference, frozen, sequences, packing, **knobs)
            terms = dataclasses.replace(terms, ref_logps=logps, ref_entropies=entropies)
        return with_batch_statistics(terms, top_entropy_quantile=self.top_entropy_quantile)

    def update(
        self, state: TrainState, frozen: Any, sequences: Sequences, terms: Terms, key: jax.Array,
        step: jax.Array, packing: Packing | None = None,
    ) -> tuple[TrainState, reduce.Metrics]:  # fmt: skip
        """One optimiser update on some rows."""
        rows = sequences.tokens.shape[0]
        return update(
            state,
            frozen,
            sequences,
            terms,
            key,
            step,
            packing,
            policy=self.policy,
            loss=self.loss,
            optimizer=self.optimizer,
            temperature=self.temperature,
            micro_batch=min(self.micro_batch, rows),
            shards=self.shards,
            full_vocabulary=self.full_vocabulary,
        )

    def learn(
        self, state: TrainState, frozen: Any, rollout: Rollout, terms: Terms, rewards: jax.Array,
        root: jax.Array, step: jax.Array, packing: Packing | None = None,
    ) -> tuple[TrainState, reduce.Metrics]:  # fmt: skip
        """All updates on one rollout: `epochs` passes of `num_minibatches` each.

        Args:
            state: trained arrays and the optimiser's.
            frozen: see `Policy`.
            rollout: B completions.
            terms: of `score`.
            rewards: [B].
            root: the run's root key.
            step: int32 scalar.
            packing: of `pack`.

        Which rows make up an update is part of the algorithm, so it does not depend on the mesh:
        groups are cut to fill the shards only inside an update, where the order of a sum is all
        that it changes.
        """
        # The first update of the step draws from the same key, so that a noisy guide is one guide.
        key = derive(root, Purpose.LOSS, step, 0)
        advantages = self.advantages(rewards, terms, step=step, key=key)
        terms = dataclasses.replace(terms, advantages=advantages)
        parts = (*split_groups(of_rollout(rollout), terms, self.num_minibatches), packing)

        def one(state, drawn):
            part, index = drawn
            sequences, terms, packing = jax.tree.map(lambda x: x[part], parts)
            key = derive(root, Purpose.LOSS, step, index)
            return self.update(state, frozen, sequences, terms, key, step, packing)

        passes = jnp.arange(self.num_minibatches * self.epochs, dtype=jnp.int32)
        if len(passes) == 1:
            return one(state, (0, passes[0]))
        state, metrics = jax.lax.scan(one, state, (passes % self.num_minibatches, passes))
        metrics = merge_stacked(metrics)
        skipped = metrics["updates/skipped"]  # A number of updates and not their share.
        metrics["updates/skipped"] = reduce.Mean(skipped.sum, jnp.ones_like(skipped.count))
        return state, metrics

    def whole(
        self, state: TrainState, frozen: Any, root: jax.Array, step: jax.Array, *,
        draw: Callable[[jax.Array, int], jax.Array],
        reward: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
        num_prompts: int,
        rows: NamedSharding | None = None,
    ) -> tuple[TrainState, reduce.Metrics, Rollout, jax.Array]:  # fmt: skip
        """Draw, sample, judge and learn as one program, for tasks judged on the device.

        Args:
            state: trained arrays and the optimiser's.
            frozen: see `Policy`.
            root: the run's root key.
            step: int32 scalar.
            draw: (key, N) -> prompts int32[N, P], all of one length.
            reward: (prompts [B, P], tokens [B, T], mask [B, T]) -> rewards [B].
            num_prompts: N.
            rows: how prompts lie over the mesh.

        Returns:
            (next state, metrics, rollout, rewards [B]).
        """
        prompts = draw(derive(root, Purpose.PROMPTS, step), num_prompts)
        if rows is not None:  # Nothing else tells the compiler to split what it draws itself.
            prompts = jax.lax.with_sharding_constraint(prompts, rows)
        mask = jnp.ones_like(prompts, bool)
        key = derive(root, Purpose.ROLLOUT, step, 0)
        rollout = self.rollout(state.trained, frozen, prompts, mask, key)
        repeated = jnp.repeat(prompts, rollout.group_size, axis=0)
        rewards = reward(repeated, rollout.tokens, rollout.mask)
        terms = self.score(state.trained, frozen, rollout)
        state, metrics = self.learn(state, frozen, rollout, terms, rewards, root, step)
        return state, metrics, rollout, rewards
