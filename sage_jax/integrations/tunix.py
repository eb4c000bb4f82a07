"""The losses of `sage_jax.losses` in google-tunix: `register` one, name it in Tunix's own config.

    tunix.register("sage", recipes.sage(guides.branch_guide(), kl_coef=0.05))
    config = GRPOConfig(policy_loss_fn="sage", kl_loss_mode="low_var_kl", beta=0.05)

Estimator, clip, kl_coef and reduction are the objective's; of the config `beta` decides whether
Tunix asks the reference at all, and nothing else. See docs/reuse.md. Needs the extra [tunix].
"""
# pyright: reportMissingImports=false

import functools
from dataclasses import dataclass, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx, struct

from sage_jax.integrations import tunix_refusals as refusals
from sage_jax.losses import Metrics, Objective, Terms, from_logits, reduce

try:
    from tunix.rl import common, function_registry
    from tunix.rl import utils as rl_utils
    from tunix.rl.grpo import grpo_learner
    from tunix.rl.rl_cluster import Mode, Role
    from tunix.sft import sharding_utils
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"{missing}; google-tunix is installed with: pip install 'sage-jax[tunix]'"
    ) from missing

BY_ROW = ("rows", "ref_entropies", "tokens_per_row")
"""Fields of `Terms` that `SageLearner` adds to what Tunix gives."""


@dataclass(frozen=True)
class PolicyLoss:
    """An objective with the signature of Tunix's policy losses, (loss, metrics) of an example.

    Raises ValueError where config or example do not go with the objective; see `register`.
    """

    objective: Objective
    packed: bool = False

    def __call__(
        self,
        model: nnx.Module,
        train_example: common.TrainExample,
        algo_config: Any,
        pad_id: int,
        eos_id: int,
        **_: Any,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The mean of the objective over the example, and its metrics by our names and theirs."""
        refusals.check_config(algo_config)
        refusals.check_example(train_example, self.objective, packed=self.packed)
        logits = _logits(
            *nnx.split(model),
            train_example.prompt_ids,
            train_example.completion_ids,
            pad_id,
            eos_id,
            algo_config.temperature,
            stop_gradient=False,
            segment_ids=train_example.segment_ids,
            segment_positions=train_example.segment_positions,
        )
        terms = terms_of(train_example, logits, self.objective)
        refusals.check_carried(train_example, _reads(self.objective, terms))
        mean, metrics = self.objective(terms, **_step_and_key(train_example))
        return mean.value(), _named(metrics)


def register(name: str, objective: Objective, *, packed: bool = False) -> PolicyLoss:
    """Make an objective the policy loss `name` of Tunix, for GRPOConfig(policy_loss_fn=name).

    Tunix's own `GRPOLearner` trains with it; noise, schedules of the step, entropies of the
    reference and means over the tokens of a whole batch need `SageLearner`. `packed` allows rows
    that hold several completions (max_seq_token_per_tpu): means by sequence are then of packs, as
    Tunix's are, so allow it where no guide and no ratio is of a row.
    Raises ValueError for a name of Tunix's own, and for an objective that has to see the whole
    batch, the rewards, or all logits of the reference.
    """
    refusals.check_objective(objective, (*refusals.GIVEN, *BY_ROW))
    known = function_registry.default_registry.list_functions("policy_loss_fn")
    if name in known and not isinstance(function_registry.get_policy_loss_fn(name), PolicyLoss):
        raise ValueError(f"name is {name!r}, a policy loss of Tunix's own; it must be another")
    return function_registry.register_policy_loss_fn(name)(PolicyLoss(objective, packed))


@struct.dataclass(frozen=True)
class SageExample(grpo_learner.TrainExample):
    """Tunix's example and what else an objective reads, by row, so that slices and shards keep it.

    `step` [B] and `key` [B, 2], the data of a key, are the same in every row; `rows` [B],
    `ref_entropies` [B, T] and `tokens_per_row` [B] are fields of `Terms`.
    """

    step: jax.Array | None = None
    key: jax.Array | None = None
    rows: jax.Array | None = None
    ref_entropies: jax.Array | None = None
    tokens_per_row: jax.Array | None = None


class SageLearner(grpo_learner.GRPOLearner):
    """Tunix's GRPO learner, which hands a registered objective all that it reads.

    Schedules see Tunix's global step; noise is drawn from `seed`, batch and row. For
    `ref_entropies` (the guide `gated`) the reference runs once more. Raises ValueError for a policy
    loss that `register` did not make, for packing, which would drop what is added, for
    offload_to_cpu where the reference is to run once more, and for several iterations at a
    temperature that the vanilla rollout leaves out of the old log-probabilities.
    """

    def __init__(
        self, rl_cluster: Any, algo_config: Any, *args: Any, seed: int = 0, **kwargs: Any
    ) -> None:
        loss = function_registry.get_policy_loss_fn(algo_config.policy_loss_fn)
        if not isinstance(loss, PolicyLoss):
            name = algo_config.policy_loss_fn
            raise ValueError(f"policy_loss_fn is {name!r}; it must be a name given to `register`")
        refusals.check_cluster(
            rl_cluster.cluster_config,
            loss.objective,
            temperature=rl_cluster.get_rollout_config(mode=Mode.TRAIN).temperature,
            num_iterations=algo_config.num_iterations,
        )
        self._objective, self._root = loss.objective, jax.random.key(seed)
        super().__init__(rl_cluster, algo_config, *args, **kwargs)
        logged = {"kl": np.mean, "pg_clipfrac": np.mean, "entropy": np.mean}
        if loss.objective.reference:
            logged |= {"q/mean": np.mean, "q/min": np.min, "q/max": np.max}
        self.rl_cluster.actor_trainer.with_rl_metrics_to_log(logged)

    def _generate_and_compute_advantage(
        self, training_input: Any, mode: Mode = Mode.TRAIN
    ) -> SageExample:
        example = super()._generate_and_compute_advantage(training_input, mode)
        # One global step may sample several batches, and micro-steps tell those apart.
        key = jax.random.fold_in(self._root, self._iter_steps)
        needed = "ref_entropies" in self._objective.needs
        found = self._ref_entropies(example) if needed else None
        return extended(example, step=self.rl_cluster.global_steps, key=key, ref_entropies=found)

    def _ref_entropies(self, example: common.TrainExample) -> jax.Array:
        """Entropies of the reference at the completions, [B, T], in Tunix's own micro-batches."""
        cluster, config = self.rl_cluster, self.algo_config
        model = nnx.split(cluster.inference_worker.get_model("reference"))
        ids = cluster.rollout.pad_id(), cluster.rollout.eos_id()
        size = self._compute_logps_micro_batch_size * config.num_generations
        axes = cluster.cluster_config.training_config.data_sharding_axis
        with cluster._get_mesh_and_logical_axis_rules_cm(Role.REFERENCE):
            prompts = sharding_utils.shard_input(example.prompt_ids, axes)
            tokens = sharding_utils.shard_input(example.completion_ids, axes)
            parts = [
                _entropies(*model, prompts[rows], tokens[rows], *ids, config.temperature)
                for rows in rl_utils.chunk_slices_by_size(len(tokens), size)
            ]
        return jnp.concatenate(parts)


def extended(
    example: common.TrainExample,
    *,
    step: int,
    key: jax.Array,
    ref_entropies: jax.Array | None = None,
) -> SageExample:
    """The example of a whole batch with step, key and what is of that batch, before it is split."""
    given = {field.name: getattr(example, field.name) for field in fields(example)}
    batch = len(example.completion_ids)
    return SageExample(
        **given,
        step=jnp.full(batch, step, jnp.int32),
        key=jnp.tile(jax.random.key_data(key), (batch, 1)),
        rows=jnp.arange(batch, dtype=jnp.int32),
        ref_entropies=ref_entropies,
        tokens_per_row=jnp.full(batch, example.completion_mask.sum() / batch, jnp.float32),
    )


def terms_of(example: common.TrainExample, logits: jax.Array, objective: Objective) -> Terms:
    """The terms of an example and its logits [B, T, V], temperature-scaled; float32 from there."""
    mask, tokens = example.completion_mask, example.completion_ids
    logps, entropies = from_logits(logits, tokens, mask)
    beside = {"tokens": tokens, "logits": logits} if objective.full_vocabulary else {}
    return Terms(
        logps=logps,
        mask=mask,
        advantages=jnp.asarray(example.advantages),
        old_logps=example.old_per_token_logps,
        ref_logps=example.ref_per_token_logps,
        entropies=entropies,
        **beside,
        **{name: getattr(example, name, None) for name in BY_ROW},
    )


def _logits(
    graphdef: Any,
    state: Any,
    prompts: jax.Array,
    tokens: jax.Array,
    pad_id: int,
    eos_id: int,
    temperature: float,
    **options: Any,
) -> jax.Array:
    """A model's logits at the completions, [B, T, V], as Tunix's own losses get them."""
    options |= {"return_logits": True, "temperature": temperature}
    return common.compute_per_token_logps(
        graphdef, state, prompts, tokens, pad_id, eos_id, **options
    )[1]


@functools.partial(jax.jit, static_argnums=(4, 5, 6))
def _entropies(graphdef: Any, state: Any, prompts: jax.Array, tokens: jax.Array, *rest: Any):
    """Entropies of a model at the completions, [B, T]; `rest` as of `_logits`."""
    logits = _logits(graphdef, state, prompts, tokens, *rest)
    return from_logits(logits, tokens, tokens != rest[0])[1]


def _reads(objective: Objective, terms: Terms) -> set[str]:
    """Which of step and key the value of an objective is computed from, told by tracing it."""

    def value(terms: Terms, step: jax.Array, key: jax.Array) -> Any:
        return objective(terms, step=step, key=key)

    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), terms)
    traced = jax.make_jaxpr(value)(shapes, jnp.int32(0), jax.random.key(0)).jaxpr
    read = {id(variable) for variable in traced.outvars}
    for equation in reversed(traced.eqns):
        if any(id(variable) in read for variable in equation.outvars):
            read |= {id(variable) for variable in equation.invars}
    names = zip(("step", "key"), traced.invars[-2:], strict=True)
    return {name for name, variable in names if id(variable) in read}


def _step_and_key(example: common.TrainExample) -> dict[str, Any]:
    if getattr(example, "step", None) is None:
        return {"step": 0, "key": None}
    return {"step": example.step[0], "key": jax.random.wrap_key_data(example.key[0])}


def _named(metrics: Metrics) -> dict[str, jax.Array]:
    """Ours, and by Tunix's names those that its learners log."""
    ours, none = reduce.values(metrics), jnp.zeros(())
    clipped = {"pg_clipfrac": ours["clip/region"]} if "clip/region" in ours else {}
    return {"kl": none, "pg_clipfrac": none} | ours | clipped
