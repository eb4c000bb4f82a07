"""What the evaluations of a run draw, beside its training."""

from sage_jax.config import Config


def completions(config: Config) -> int:
    """Completions of the evaluations before, between and after a run's steps, at the most.

    A file with fewer problems than `eval.num_problems` takes fewer, and none are drawn where
    `eval.exact` computes.
    """
    if config.eval.exact:
        return 0
    every, steps = config.train.eval_every, config.train.steps
    between = (steps - 1) // every if every else 0
    each = 2 * config.eval.num_samples + between * config.eval.num_samples_during
    return config.eval.num_problems * each


def rollouts(config: Config) -> int:
    """As many rollouts of the training as draw the completions of the evaluations."""
    return -(-completions(config) // config.rollout.num_completions)
