"""How a config samples."""

from collections.abc import Callable
from typing import Any

import jax

from sage_jax import config as configs
from sage_jax.config import ConfigError
from sage_jax.data.tasks import Vocabulary
from sage_jax.learn.policy import Policy
from sage_jax.rollout import Decoding, Rollout, StopTable, generate


def decoding(config: configs.Config, task: Vocabulary) -> Decoding:
    """How a config samples while training."""
    options = config.rollout
    return Decoding(
        group_size=options.group_size,
        max_completion_length=options.max_completion_length,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        stop=options.stop,
        stop_ids=task.stop_ids,
        pad_id=task.pad_id,
        compactions=options.compactions,
        cache_doublings=options.cache_doublings,
    )


def filled(policy: Policy, options: Decoding) -> tuple[Decoding, StopTable | None]:
    """`policy.decoding` of options from a config.

    Raises:
        ConfigError: if a string of `rollout.stop` cannot end a completion of this model.
    """
    try:
        return policy.decoding(options)
    except ValueError as error:
        raise ConfigError(f"rollout.{error}") from None


def sampler(policy: Policy, options: Decoding) -> Callable[..., Rollout]:
    """(graphdef, params, prompt_tokens, prompt_mask, key) -> Rollout with everything else fixed."""
    found, table = filled(policy, options)

    def run(graphdef: Any, params: Any, tokens: Any, mask: Any, key: jax.Array) -> Rollout:
        return generate(
            graphdef, params, tokens, mask, key, found, stop_table=table, mesh=policy.mesh
        )

    return run
