"""The rollout of sage_jax, served to a contest."""

from pathlib import Path

import jax
import numpy as np
from serve import serve

from sage_jax import config as configs
from sage_jax import models
from sage_jax.parallel import make_mesh
from sage_jax.rollout import generate
from sage_jax.train.setup import way_of_decoding


def open_task(task):
    """Load the model; a run completes all prompts once."""
    dtype = jax.numpy.dtype(task["dtype"])
    loaded = models.load(Path(task["folder"]), compute_dtype=dtype, param_dtype=dtype)
    tokens, mask = np.array(task["tokens"], np.int32), np.array(task["mask"], bool)

    # As the trainer does.
    knobs = configs.Rollout(max_completion_length=task["length"])
    way = way_of_decoding(make_mesh(data=1), knobs)

    def run(seed, warming=False):
        rollout = generate(
            loaded.graphdef, loaded.params, tokens, mask, jax.random.key(seed),
            group_size=task["group_size"], max_completion_length=task["length"], temperature=1.0,
            stop_ids=tuple(task["stop_ids"]), pad_id=task["pad_id"], cache_dtype=dtype,
            **way,
        )  # fmt: skip
        np.asarray(rollout.tokens)
        return {"lengths": np.asarray(rollout.mask).sum(axis=1).astype(int).tolist()}

    return run


serve(open_task)
