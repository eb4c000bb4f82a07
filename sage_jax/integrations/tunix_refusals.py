"""What of Tunix's configs and examples does not go with an objective, one line each."""

import warnings
from typing import Any

from sage_jax.losses import Objective

GIVEN = (
    "logps", "mask", "advantages", "old_logps", "ref_logps", "entropies", "tokens", "logits",
    "log_q", "vocab_log_q",
)  # fmt: skip
"""Fields of `Terms` that Tunix's own examples give."""
OWN_MODE = "sequence-mean-token-mean"
_OF_OURS = {
    "token-mean": "bnpo",
    "sequence-mean-token-scale": "dr_grpo, max_completion_length=max_tokens_to_generate",
    "seq-mean-token-sum": "dr_grpo, max_completion_length=1",
    "sequence-mean-token-sum-norm": "dr_grpo, max_completion_length=1",
}


def check_objective(objective: Objective, given: tuple[str, ...]) -> None:
    """Raise ValueError for an objective that reads what no example of Tunix can carry."""
    if objective.in_reward is not None or objective.in_advantage is not None:
        raise ValueError("kl_in is not 'loss'; Tunix takes no KL off rewards or advantages")
    if objective.before_split is not None:
        raise ValueError(
            "the objective takes statistics of the whole batch, which Tunix splits before the loss "
            "is called; it must have no guide or surrogate that does, such as gated with a share"
        )
    lacking = sorted(objective.needs - set(given))
    if lacking:
        names = ", ".join(lacking)
        raise ValueError(f"the objective reads {names}; Tunix gives {', '.join(given)}")


def check_config(config: Any) -> None:
    """Raise ValueError for an option that would be ignored; warn of those that always are."""
    mode, algo = config.loss_agg_mode, config.loss_algo
    if mode != OWN_MODE:
        ours = _OF_OURS.get(mode, "any of losses.reduce")
        raise ValueError(
            f"loss_agg_mode is {mode!r}; the objective has its own reduction, so leave it at "
            f"{OWN_MODE!r} and give the recipe reduction=by_name.reduction(reduce.{ours})"
        )
    if algo != "grpo":
        raise ValueError(
            f"loss_algo is {algo!r}; it must be 'grpo', with recipes.gspo() or a surrogate of "
            "level='sequence'"
        )
    for name, instead in (("kl_clamp_value", "None"), ("epsilon_c", "None, with delta of ours")):
        if getattr(config, name, None) is not None:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be {instead}")
    if config.kl_loss_mode == "kl":
        warnings.warn(
            "kl_loss_mode 'kl' is not used, nor epsilon and the size of beta: estimator, clip and "
            "kl_coef are the objective's (k1 in a loss has no gradient in expectation); "
            "'low_var_kl', which is k3, is not used either, without this warning",
            stacklevel=2,
        )


def check_example(example: Any, objective: Objective, *, packed: bool) -> None:
    """Raise ValueError where an example lacks what the objective reads, or has too much."""
    if example.segment_ids is not None and not packed:
        raise ValueError(
            "max_seq_token_per_tpu packs several completions into a row; it must be None, or "
            "register(..., packed=True) for an objective that takes nothing by row"
        )
    if getattr(example, "sampler_is_weights", None) is not None:
        raise ValueError("sampler_is_weights are given; the objective takes none, so leave it off")
    if objective.reference and example.ref_per_token_logps is None:
        raise ValueError(
            "beta is 0, so that Tunix asks no reference, and the objective reads it; beta must be "
            "another number, such as the objective's kl_coef"
        )
    check_carried(example, objective.needs & {"ref_entropies", "rows", "tokens_per_row"})


def check_carried(example: Any, names: frozenset[str] | set[str]) -> None:
    """Raise ValueError where what `SageLearner` adds is read and is not there."""
    lacking = sorted(name for name in names if getattr(example, name, None) is None)
    if not lacking:
        return
    instead = "train with sage_jax.integrations.tunix.SageLearner"
    if example.segment_ids is not None:
        instead = "packing drops it, so max_seq_token_per_tpu must be None"
    raise ValueError(f"the objective reads {' and '.join(lacking)}, which is not there; {instead}")


def check_cluster(
    cluster_config: Any, objective: Objective, *, temperature: float, num_iterations: int
) -> None:
    """Raise ValueError for a cluster under which `SageLearner` would train on wrong figures."""
    tokens = cluster_config.training_config.max_seq_token_per_tpu
    if tokens is not None:
        raise ValueError(
            f"max_seq_token_per_tpu is {tokens}; it must be None with SageLearner, since packing "
            "drops step, key and what else it adds"
        )
    if cluster_config.offload_to_cpu and "ref_entropies" in objective.needs:
        raise ValueError(
            "offload_to_cpu is True; it must be False for an objective that reads ref_entropies"
        )
    vanilla = cluster_config.rollout_engine == "vanilla"
    if vanilla and num_iterations > 1 and temperature not in (0, 1):
        raise ValueError(
            f"temperature is {temperature} and num_iterations is {num_iterations}; one must be 1, "
            "since Tunix's vanilla rollout takes old log-probabilities without the temperature"
        )
