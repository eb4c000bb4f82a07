"""The learner: sampling and learning for a loop of one's own, compiled and sharded."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from sage_jax import parallel
from sage_jax.data.tasks import Prompts
from sage_jax.learn.non_finite import NonFinite
from sage_jax.learn.packing import Packing
from sage_jax.learn.placement import create, keep_sharding, layout
from sage_jax.learn.refusals import as_outcome, finite_rewards, refuse_given_away
from sage_jax.learn.state import TrainState
from sage_jax.learn.steps import Steps
from sage_jax.learn.token_figures import TokenFigures, token_figures
from sage_jax.learn.trim import trim
from sage_jax.losses import Terms, reduce
from sage_jax.rollout import Decoding, Rollout, row_keys

_SHORT = 8
"""Slots of a completion up to which its length is not asked for: it costs more than it spares."""


class Prepared(NamedTuple):
    """A rollout as log-probabilities and updates read it.

    Attributes:
        rollout: without columns that no completion reaches.
        packing: how its completions share rows, if they do.
    """

    rollout: Rollout
    packing: Packing | None

    def padding(self, tokens: int) -> float:
        """Share of the places for completion tokens that hold none, where `tokens` hold one."""
        rows, length = self.rollout.tokens.shape
        taken = rows if self.packing is None else self.packing.rows_taken
        return 1 - tokens / (taken * length)


@dataclasses.dataclass(frozen=True, eq=False)
class Learner(Steps):
    """What is fixed while training; it holds no array that changes. Its arguments: see `Steps`.

    `init`, `sample` and `update` are for a loop of one's own: they compile, shard, and give the
    old state's memory away. `rollout`, `logprobs` and `learn` are the pure functions underneath.
    """

    @functools.cached_property
    def layout(self) -> TrainState:
        """Shapes and shardings of the state."""
        return layout(self.policy.abstract, self.optimizer, self.policy.mesh)

    def init(self, key: jax.Array, *, donate: bool = False) -> TrainState:
        """The state before the first update.

        Args:
            key: of the adapters' random values; not used without them.
            donate: let the state take over the policy's own weights instead of a copy, where no
                reference needs them: the first update then eats them.
        """
        trained = self.policy.trained(key)
        if self.policy.lora is None and not (donate and not self.needs_reference):
            trained = jax.tree.map(jnp.copy, trained)
        return create(trained, self.optimizer, self.policy.mesh)

    def decoder(self, trained: Any) -> tuple[Any, Any]:
        """The policy as (graphdef, params) for decoding."""
        return self.policy.modules.decoder(trained, self.frozen)

    def sample(
        self, state: TrainState, prompts: Prompts, decoding: Decoding, *, key: jax.Array
    ) -> Rollout:
        """Complete N prompts, `decoding.group_size` times each.

        Args:
            state: the policy that samples.
            prompts: of `policy.encode`, or token ids of one's own.
            decoding: how to sample.
            key: one key, or one for each completion, see `generate`.

        Returns:
            A rollout of B = N·G rows over the mesh; `rollout.problems` says what each answers.

        Raises:
            ValueError: `decoding.temperature` is not the learner's, or the state was given away.
        """
        if decoding.temperature != self.temperature:
            raise ValueError(
                f"temperature is {decoding.temperature} in decoding and {self.temperature} in the "
                "learner: log-probabilities are of the policy that samples"
            )
        refuse_given_away(state)
        filled, table = self.policy.decoding(decoding)
        rows = parallel.batch_sharding(self.policy.mesh, len(prompts.tokens))
        keys = row_keys(key, len(prompts.tokens) * decoding.group_size) if key.ndim == 0 else key
        arrays = parallel.shard((prompts.tokens, prompts.mask, keys), rows)
        rollout = self._sample(state.trained, self.frozen, *arrays, table, filled)
        problems = tuple(p for p in prompts.problems for _ in range(decoding.group_size))
        return dataclasses.replace(rollout, problems=problems)

    def update(
        self,
        state: TrainState,
        rollout: Rollout,
        rewards: Sequence[float | tuple[float, str]] | np.ndarray | jax.Array,
        *,
        step: int,
        key: jax.Array | None = None,
        outcome: Mapping[str, ArrayLike] | None = None,
    ) -> tuple[TrainState, reduce.Metrics]:
        """Learn from a rollout: log-probabilities, packing, and all updates.

        Args:
            state: the state that sampled; its memory is given away.
            rollout: of `sample`.
            rewards: [B], a number for each completion, or (number, reason).
            step: the training step, for schedules and noise.
            key: root of the noise of guides; default `jax.random.key(0)`.
            outcome: [B] each, what else a loss or a rule of advantages reads of a completion or its
                prompt: `right` (else a reward above 0.5 is), `modes`, `base_pass_rate`.

        Returns:
            The next state, and metrics: `float(metrics["loss"])`.

        Raises:
            ValueError: a reward is no finite number, there are more or fewer of them than
                completions, or the state was given away before.
        """
        refuse_given_away(state)
        rewards = finite_rewards(rewards, len(rollout.tokens))
        prepared = self.prepare(rollout)
        terms = self.terms(state, prepared)
        learned = self.apply(state, prepared, terms, rewards, step=step, key=key, outcome=outcome)
        return learned[:2]

    def prepare(self, rollout: Rollout) -> Prepared:
        """The rollout cut to the columns worth computing on, and packed.

        Waits for it, since lengths decide, unless its completions are too short to spare anything.
        """
        mesh = self.policy.mesh
        if rollout.tokens.shape[1] <= _SHORT:
            return Prepared(rollout, None)
        rollout, lengths = trim(rollout, mesh)
        packing = self.pack(lengths, rollout)
        return Prepared(rollout, parallel.shard(packing, parallel.replicated(mesh)))

    def terms(self, state: TrainState, prepared: Prepared) -> Terms:
        """`logprobs` of a prepared rollout, compiled; does not wait for the devices."""
        return self._logprobs(state.trained, self.frozen, prepared.rollout, prepared.packing)

    def apply(
        self,
        state: TrainState,
        prepared: Prepared,
        terms: Terms,
        rewards: Sequence[float] | np.ndarray | jax.Array,
        *,
        step: int,
        key: jax.Array | None = None,
        outcome: Mapping[str, ArrayLike] | None = None,
    ) -> tuple[TrainState, reduce.Metrics, NonFinite]:
        """`learn` from a prepared rollout and its terms, compiled; see `update`."""
        known = self._known(prepared, terms, rewards, outcome, step=step, key=key)
        return self._learn(state, self.frozen, *known, prepared.packing)

    def figures(
        self,
        state: TrainState,
        prepared: Prepared,
        terms: Terms,
        rewards: Sequence[float] | np.ndarray | jax.Array,
        *,
        step: int,
        key: jax.Array | None = None,
        outcome: Mapping[str, ArrayLike] | None = None,
    ) -> TokenFigures:
        """What `apply` is about to make of every token, see `token_figures`; keeps the state."""
        known = self._known(prepared, terms, rewards, outcome, step=step, key=key)
        return self._figures(state, self.frozen, *known)

    def _known(
        self,
        prepared: Prepared,
        terms: Terms,
        rewards: Sequence[float] | np.ndarray | jax.Array,
        outcome: Mapping[str, ArrayLike] | None,
        *,
        step: int,
        key: jax.Array | None,
    ) -> tuple[Rollout, Terms, jax.Array, jax.Array]:
        """(rollout, terms with rewards, root key, step) as the pure functions take them."""
        rollout = prepared.rollout
        rows = parallel.batch_sharding(self.policy.mesh, len(rollout.prompt_tokens))
        known: dict[str, Any] = {"rewards": np.asarray(rewards, np.float32)}
        known |= as_outcome(outcome or {}, len(rollout.tokens))
        terms = dataclasses.replace(terms, **parallel.shard(known, rows))
        root = jax.random.key(0) if key is None else key
        return rollout, terms, root, jnp.int32(step)

    @functools.cached_property
    def _sample(self) -> Any:
        def run(trained, frozen, tokens, mask, key, table, decoding):
            rollout = self.rollout(trained, frozen, tokens, mask, key, decoding, table)
            rows = parallel.batch_sharding(self.policy.mesh, len(tokens))
            return jax.lax.with_sharding_constraint(rollout, rows)

        return jax.jit(run, static_argnums=6)

    @functools.cached_property
    def _logprobs(self) -> Any:
        return jax.jit(self.logprobs)

    @functools.cached_property
    def _figures(self) -> Any:
        def run(state, frozen, rollout, *known):
            found = token_figures(self, state, frozen, rollout, *known)
            rows = parallel.batch_sharding(self.policy.mesh, len(rollout.prompt_tokens))
            return jax.lax.with_sharding_constraint(found, rows)

        return jax.jit(run)

    @functools.cached_property
    def _learn(self) -> Any:
        return keep_sharding(self.learn, self.layout)
