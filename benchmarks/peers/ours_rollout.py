"""The rollout of sage_jax, served to a contest."""

from pathlib import Path

import jax
import numpy as np
from serve import serve

from sage_jax import models
from sage_jax.learn import Policy
from sage_jax.parallel import make_mesh
from sage_jax.rollout import Decoding, generate


def open_task(task):
    """Load the model; a run completes all prompts once."""
    dtype = jax.numpy.dtype(task["dtype"])
    loaded = models.load(Path(task["folder"]), compute_dtype=dtype, param_dtype=dtype)
    tokens, mask = np.array(task["tokens"], np.int32), np.array(task["mask"], bool)

    options = Decoding(
        group_size=task["group_size"], max_completion_length=task["length"],
        stop_ids=tuple(task["stop_ids"]), pad_id=task["pad_id"],
    )  # fmt: skip
    decoding, _ = Policy(loaded, make_mesh(data=1), compute_dtype=dtype).decoding(options)

    def run(seed, warming=False):
        rollout = generate(
            loaded.graphdef, loaded.params, tokens, mask, jax.random.key(seed), decoding
        )
        np.asarray(rollout.tokens)
        return {"lengths": np.asarray(rollout.mask).sum(axis=1).astype(int).tolist()}

    return run


serve(open_task)
