"""Sampling, log-probabilities and learning as pure functions of arrays."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.non_finite import NonFinite
from sage_jax.learn.packing import Packing, fit
from sage_jax.learn.passes import Pass
from sage_jax.learn.per_token import per_token
from sage_jax.learn.policy import Policy
from sage_jax.learn.refusals import refuse_no_optimizer
from sage_jax.learn.rules import Advantages, follow, refuse_deviation_of_kl, refuse_unfit
from sage_jax.learn.sequences import of_rollout, split_groups
from sage_jax.learn.shards import Shards
from sage_jax.learn.state import TrainState
from sage_jax.learn.update import Loss, Update, merge_stacked
from sage_jax.losses import Objective, Terms, reduce
from sage_jax.losses.advantages import group
from sage_jax.losses.outcome import with_outcome
from sage_jax.losses.terms import require, with_batch_statistics
from sage_jax.rollout import Decoding, Finish, Rollout, StopTable, generate


@dataclasses.dataclass(frozen=True, eq=False)
class Steps:
    """What is fixed while training, with the steps as pure functions of arrays.

    They may be jitted together, scanned or mapped; `Learner` compiles each by itself.

    Attributes:
        policy: model, reference and mesh.
        loss: (terms, *, step, key) -> (Mean, metrics), such as `recipes.sage(...)`. Its KL is taken
            off the rewards or the advantages here, where its `kl_in` says so.
        optimizer: an optax transformation.
        advantages: rewards [B] -> [B], such as `advantages.rloo`, or several, each of which gets
            what the one before gave, such as (advantages.group, rarity.rare_by_logps). They may ask
            by name for what is `rules.OFFERED`. None is `advantages.group`.
        temperature: of the policy; sampling has to use the same.
        micro_batch: rows in one forward and backward pass; 0 takes an update's rows at once.
        num_minibatches: M updates that each rollout is split into.
        epochs: passes over each rollout.
        packing: whether completions share rows where their lengths leave room.
        old_logps: compute the policy's log-probabilities before the first update. None does where
            there are several updates or the loss asks for them; with one, the policy that sampled
            is the one being differentiated, and nothing is gained.
        reference: compute the reference's log-probabilities. None asks the loss, see
            `objectives.Objective`, and does where it cannot say.
        full_vocabulary: hand the loss logits, see `kl.reverse_kl(estimator="exact")`. None asks the
            loss, and does not where it cannot say.
        top_entropy_quantile: share of tokens that the policy gradient uses.
        mask_truncated: leave completions that ran out of room out of the loss (DAPO's overlong
            filtering, arXiv 2503.14476), and out of its normaliser where that counts tokens. Their
            rewards stay in their group's advantages.

    Raises:
        ValueError: `optimizer` is no transformation, `advantages` asks for what there is not, or is
            `group` where the loss takes its KL off the rewards.
    """

    policy: Policy
    loss: Loss
    optimizer: optax.GradientTransformation
    advantages: Advantages | Sequence[Advantages] | None = None
    temperature: float = 1.0
    micro_batch: int = 0
    num_minibatches: int = 1
    epochs: int = 1
    packing: bool = True
    old_logps: bool | None = None
    reference: bool | None = None
    full_vocabulary: bool | None = None
    top_entropy_quantile: float = 1.0
    mask_truncated: bool = False

    def __post_init__(self):
        refuse_no_optimizer(self.optimizer)
        for rule in self.rules:
            refuse_unfit(rule)
        if self.objective.in_reward is not None:
            refuse_deviation_of_kl(self.rules)

    @property
    def rules(self) -> Sequence[Advantages]:
        """From rewards to advantages, one after the other."""
        if self.advantages is None:
            return (group,)
        several: Any = isinstance(self.advantages, list | tuple)
        return self.advantages if several else (self.advantages,)  # type: ignore[return-value]

    @property
    def frozen(self) -> Any:
        """See `Modules`: the base's weights where adapters or the reference need them."""
        return self.policy.params if self.policy.lora or self.needs_reference else None

    @property
    def needs_old_logps(self) -> bool:
        """Whether the policy's log-probabilities are computed before the first update."""
        if self.old_logps is not None:
            return self.old_logps
        return self.num_minibatches * self.epochs > 1 or self.objective.old_logps

    @property
    def needs_logits(self) -> bool:
        """Whether the loss is given logits of policy and reference."""
        if self.full_vocabulary is not None:
            return self.full_vocabulary
        return self.objective.full_vocabulary

    @property
    def needs_reference(self) -> bool:
        """Whether the reference's log-probabilities are computed."""
        if self.reference is not None:
            return self.reference
        return self.needs_logits or self.objective.reference  # Logits are of both or of neither.

    @functools.cached_property
    def objective(self) -> Objective:
        """The loss as one that knows what it reads: any other may read the reference."""
        if isinstance(self.loss, Objective):
            return self.loss
        return Objective(self.loss, frozenset(("ref_logps",)))

    @functools.cached_property
    def shards(self) -> Shards:
        """How rows and vocabulary are cut."""
        return Shards.of(self.policy.mesh, self.policy.loaded.config.vocab_size)

    def rollout(
        self,
        trained: Any,
        frozen: Any,
        prompt_tokens: jax.Array,
        prompt_mask: jax.Array,
        key: jax.Array,
        decoding: Decoding,
        stop_table: StopTable | None = None,
    ) -> Rollout:
        """Complete N prompts; pure. `decoding` and `stop_table` as `Policy.decoding` gives them."""
        graphdef, params = self.policy.modules.decoder(trained, frozen)
        return generate(
            graphdef,
            params,
            prompt_tokens,
            prompt_mask,
            key,
            decoding,
            stop_table=stop_table,
            mesh=self.policy.mesh,
        )

    def pack(self, lengths: np.ndarray, rollout: Rollout) -> Packing | None:
        """How completions of these lengths are to share rows, if that spares any."""
        if not self.packing or self.needs_logits:
            return None
        return fit(
            lengths,
            group_size=rollout.group_size,
            prompt_length=rollout.prompt_tokens.shape[1],
            length=rollout.tokens.shape[1],
            micro_batch=self._micro_batch(len(lengths)),
            updates=self.num_minibatches,
            shards=self.shards.rows,
        )

    def logprobs(
        self, trained: Any, frozen: Any, rollout: Rollout, packing: Packing | None = None
    ) -> Terms:
        """All that an update needs to know of a rollout but its rewards; pure.

        `logps` are placeholders; the update computes its own.
        """
        sequences, modules = of_rollout(rollout), self.policy.modules
        each = Pass(self.temperature, self._micro_batch(len(rollout.tokens)), self.shards)

        def of(graphdef: Any, params: Any) -> tuple[jax.Array, jax.Array]:
            return logprobs(graphdef, params, sequences, packing, each=each)

        terms = Terms(logps=rollout.logps, mask=self._mask(rollout), sampler_logps=rollout.logps)
        if self.needs_old_logps:
            logps, entropies = of(modules.graphdef, modules.params(trained, frozen))
            terms = dataclasses.replace(terms, logps=logps, old_logps=logps, entropies=entropies)
        if self.needs_reference:
            logps, entropies = of(modules.reference_graphdef, frozen)
            terms = dataclasses.replace(terms, ref_logps=logps, ref_entropies=entropies)
        return with_batch_statistics(terms, top_entropy_quantile=self.top_entropy_quantile)

    def learn(
        self,
        state: TrainState,
        frozen: Any,
        rollout: Rollout,
        terms: Terms,
        root: jax.Array,
        step: jax.Array,
        packing: Packing | None = None,
    ) -> tuple[TrainState, reduce.Metrics, NonFinite]:
        """All updates on one rollout: `epochs` passes of `num_minibatches` each; pure.

        Args:
            state: trained arrays and the optimiser's.
            frozen: see `Modules`.
            rollout: B completions.
            terms: of `logprobs`, with `rewards`.
            root: the run's root key.
            step: int32 scalar.
            packing: of `pack`.

        Which rows make up an update is part of the algorithm, so it does not depend on the mesh:
        groups are cut to fill the shards only inside an update, where the order of a sum is all
        that it changes.
        """
        terms = self.prepared(state.trained, frozen, rollout, terms, root, step)
        parts = split_groups(of_rollout(rollout), terms, self.num_minibatches)
        if packing is not None:
            groups = len(rollout.prompt_tokens) // self.num_minibatches
            parts = self.shards.settle(parts, groups)
        parts = (*parts, packing)

        def one(state, drawn):
            part, index = drawn
            sequences, terms, packing = jax.tree.map(lambda x: x[part], parts)
            key = derive(root, Purpose.LOSS, step, index)
            update = self.update_on(len(sequences.tokens))
            state, metrics, bad = update(state, frozen, sequences, terms, key, step, packing)
            return state, (metrics, bad)

        passes = jnp.arange(self.num_minibatches * self.epochs, dtype=jnp.int32)
        if len(passes) == 1:
            state, (metrics, bad) = one(state, (0, passes[0]))
            return state, metrics, bad
        state, (metrics, bad) = jax.lax.scan(one, state, (passes % self.num_minibatches, passes))
        metrics, bad = merge_stacked(metrics), jax.tree.map(lambda place: place.max(axis=0), bad)
        skipped = metrics["updates/skipped"]  # A number of updates and not their share.
        metrics["updates/skipped"] = reduce.Mean(skipped.sum, jnp.ones_like(skipped.count))
        return state, metrics, bad

    def prepared(
        self,
        trained: Any,
        frozen: Any,
        rollout: Rollout,
        terms: Terms,
        root: jax.Array,
        step: jax.Array,
    ) -> Terms:
        """The terms of `learn` with advantages and what parts take from the whole batch; pure."""
        # The first update of the step draws from the same key, so that a noisy guide is one guide.
        key = derive(root, Purpose.LOSS, step, 0)
        size = rollout.group_size
        rewards = require(terms, "rewards", "learning")
        terms = with_outcome(terms, rewards, group_size=size)
        values = self.objective.anchored(rewards, terms, step=step, key=key)
        for rule in self.rules:
            offered = {"rewards": rewards, "terms": terms, "group_size": size}
            values = follow(rule, values, **offered, step=step, key=key)
        known = self._measured(trained, frozen, rollout, terms, values, step=step, key=key)
        values = self.objective.tilted(values, known, group_size=size, step=step, key=key)
        terms = dataclasses.replace(terms, advantages=values)
        return self.objective.prepared(terms, step=step, key=key)

    def _measured(
        self,
        trained: Any,
        frozen: Any,
        rollout: Rollout,
        terms: Terms,
        advantages: jax.Array,
        *,
        step: jax.Array,
        key: jax.Array,
    ) -> Terms:
        """The terms with the distances that only logits tell, where the objective asks for some."""
        if self.objective.distances is None:
            return terms
        terms = dataclasses.replace(terms, advantages=advantages)
        ready = self.objective.prepared(terms, step=step, key=key)
        measure = functools.partial(self.objective.distances, step=step, key=key)
        update = self.update_on(self._micro_batch(len(rollout.tokens)))
        found = per_token(update, measure, trained, frozen, of_rollout(rollout), ready)
        return dataclasses.replace(terms, distances=found)

    def update_on(self, rows: int) -> Update:
        """One optimiser update on some rows, a pure function."""
        each = Pass(self.temperature, min(self.micro_batch or rows, rows), self.shards)
        return Update(self.policy.modules, self.loss, self.optimizer, each, self.needs_logits)

    def _mask(self, rollout: Rollout) -> jax.Array:
        """Tokens [B, T] that the loss is of; what the model reads is the rollout's own mask."""
        if not self.mask_truncated:
            return rollout.mask
        ended = rollout.finish != Finish.LENGTH
        return rollout.mask * ended[:, None].astype(rollout.mask.dtype)

    def _micro_batch(self, rows: int) -> int:
        return self.micro_batch or rows // self.num_minibatches
