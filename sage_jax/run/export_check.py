"""Whether an exported model is the run's: both score the prompts that the run is evaluated on."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax import config as configs
from sage_jax import models, parallel, setup
from sage_jax.learn.placement import place
from sage_jax.learn.policy import LoRA, placer
from sage_jax.run.trained import Trained
from sage_jax.telling import OneLine, UserError

PROMPTS = 8
TOLERANCES = {
    "float32": (1e-3, "the same weights, in sums of another order"),
    "bfloat16": (0.5, "weights rounded to 8 bits"),
}
"""By the dtype of the export: nats that one token's log-probability may differ by, and why."""


class CheckError(OneLine, UserError):
    """An exported model that is not the run's."""


def check(trained: Trained, config: configs.Config, folder: Path, *, dtype: str) -> str:
    """Read an export back and hold its log-probabilities to the run's own, over prompt tokens.

    Both compute in float32, whatever the run computes in, so that a difference is the files'.

    Args:
        trained: the run's model, whose task is open.
        config: of the run.
        folder: merged weights, or an adapter.
        dtype: that was written.

    Returns:
        What was found, in one line.

    Raises:
        CheckError: the largest difference is above `TOLERANCES`.
        ModelError: what was written cannot be read.
    """
    options = setup.model_options(config, trained.base.mesh)
    options |= {"compute_dtype": jnp.float32, "param_dtype": jnp.float32, "attend": models.attend}
    adapter = (folder / "adapter_config.json").is_file()
    read = _adapted(trained, folder, options) if adapter else _merged(trained, folder, options)
    score = functools.partial(_prompt_logps, trained)
    return _told(score(*_own(trained, options)), score(*read), dtype)


def _told(own: np.ndarray, read: np.ndarray, dtype: str) -> str:
    bound, why = TOLERANCES[dtype]
    # A NaN is above any bound.
    largest = float(np.abs(own - read).max(initial=0.0))
    found = (
        f"log-probabilities of {own.size} tokens of held-out prompts differ from the run's by at "
        f"most {largest:.2g} nats"
    )
    if not largest <= bound:
        raise CheckError(f"--check: {found}, more than {bound} ({why}): nothing was written")
    return f"check: {found} (bound {bound}: {why})"


def _own(trained: Trained, options: Any) -> tuple[Any, Any]:
    """The run's model as it is trained, adapters apart, as (graphdef, params)."""
    policy = trained.learner.policy
    if policy.lora is None:
        return _graphdef(trained, options, None), trained.state.precise
    return _graphdef(trained, options, policy.lora), (policy.params, trained.weights)


def _merged(trained: Trained, folder: Path, options: Any) -> tuple[Any, Any]:
    loaded = models.load(folder, place=placer(trained.base.mesh), **options)
    return loaded.graphdef, loaded.params


def _adapted(trained: Trained, folder: Path, options: Any) -> tuple[Any, Any]:
    loaded = trained.base.loaded
    found = models.read_adapter(folder, loaded.config, loaded.params)
    lora = LoRA(found.rank, found.alpha, found.targets)
    adapters = place(trained.base.mesh, found.adapters)
    return _graphdef(trained, options, lora), (loaded.params, adapters)


def _graphdef(trained: Trained, options: Any, lora: LoRA | None) -> Any:
    policy = trained.learner.policy
    plain = models.build_graphdef(policy.loaded.config, **options)
    loaded = dataclasses.replace(policy.loaded, graphdef=plain)
    return dataclasses.replace(policy, loaded=loaded, lora=lora).modules.graphdef


def _prompt_logps(trained: Trained, graphdef: Any, params: Any) -> np.ndarray:
    """The log-probability of each prompt token but the first of each, in one row."""
    mesh = trained.base.mesh
    shards = parallel.row_shards(mesh)
    prompts = trained.base.task.held_out(PROMPTS)
    rows = np.arange(-(-PROMPTS // shards) * shards) % len(prompts.ids)
    tokens, mask = prompts.tokens[rows], prompts.mask[rows]
    arrays = parallel.shard((tokens, mask), parallel.batch_sharding(mesh, len(rows)))
    # Accelerators would multiply float32 in fewer bits.
    with jax.default_matmul_precision("highest"):
        logps = _score(graphdef, params, *arrays, shards=trained.learner.shards.vocab)
    return np.asarray(logps)[:, :-1][mask[:, :-1]]


@functools.partial(jax.jit, static_argnames=("graphdef", "shards"))
def _score(
    graphdef: Any, params: Any, tokens: jax.Array, mask: jax.Array, *, shards: int
) -> jax.Array:
    model = models.merge(graphdef, params)
    hidden, _ = model(tokens, models.count_positions(mask), mask)
    return models.token_logps(model, hidden, jnp.roll(tokens, -1, axis=1), shards=shards)[0]
