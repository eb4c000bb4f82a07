"""A training step of sage_jax, served to a contest.

Every run starts from the same weights, so that runs of one seed differ in nothing but the guide.
"""

import jax
from ours_config import describe
from serve import serve

from sage_jax import config as configs
from sage_jax import setup
from sage_jax.learn.keys import Purpose, derive
from sage_jax.run.session import make_step


def open_task(task):
    """Load the model; a run samples, judges, scores and updates once."""
    config = configs.parse(describe(task))
    base = setup.open_base(config, config.model.source)
    learner, first = setup.start(config, base, derive(jax.random.key(config.seed), Purpose.MODEL))
    step = make_step(config, base, learner)

    def run(seed, warming=False):
        state = jax.block_until_ready(jax.tree.map(jax.numpy.copy, first))
        taken = step(state, seed, seed)
        phases = ("rollout", "reward", "logprobs", "update")
        seconds = {phase: taken.metrics[f"seconds/{phase}"] for phase in phases}
        return {"mean_length": taken.metrics["length/mean"], "phases": seconds}

    return run


if __name__ == "__main__":  # The task's verifier starts processes that read this file again.
    serve(open_task)
