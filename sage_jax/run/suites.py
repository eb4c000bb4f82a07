"""Evaluating models on suites, the sets of problems that `eval.suites` names."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sage_jax import config as configs
from sage_jax import setup
from sage_jax.evaluate import EvalResult
from sage_jax.evaluate.seeded import SeededResult
from sage_jax.evaluate.suites import suite_file
from sage_jax.parallel import hosts
from sage_jax.parts import SuiteSpec
from sage_jax.run.console import warn
from sage_jax.run.evaluation import Asked, evaluate_model
from sage_jax.run.exact import Model
from sage_jax.run.stages import stage


class Candidate(NamedTuple):
    """A model that is evaluated.

    Attributes:
        tag: what it is called.
        step: of its training; 0 for a base model.
        model: (graphdef, params).
    """

    tag: str
    step: int
    model: Model


def evaluate_suites(
    config: configs.Config, base: setup.Base, candidates: Sequence[Candidate], home: Path
) -> dict[str, dict[str, SeededResult]]:
    """Evaluate models on all suites, `eval.seeds` times each. A collective.

    Completions are kept below `home` as they come, and are not sampled again where they are there.

    Args:
        config: with the suites.
        base: where the models lie, and their tokenizer.
        candidates: what is evaluated.
        home: folder of the results, see `evaluate.suites`.

    Returns:
        {tag: {suite: its seeds}}.
    """
    results: dict[str, dict[str, SeededResult]] = {one.tag: {} for one in candidates}
    for place, suite in enumerate(config.eval.suites):
        with contextlib.closing(setup.open_suite(config, base.loaded, place)) as task:
            on, known = dataclasses.replace(base, task=task), task.held_out(1)
            if known.dropped:
                warn(
                    f"{suite.title}: {known.dropped} problems have prompts longer than "
                    "rollout.max_prompt_length and are left out"
                )
            own = _alone(config, suite)
            for candidate in candidates:
                results[candidate.tag][suite.title] = SeededResult(
                    tuple(
                        _evaluated(own, on, candidate, home, suite.title, seed)
                        for seed in range(config.eval.seeds)
                    )
                )
    return results


def _alone(config: configs.Config, suite: SuiteSpec) -> configs.Config:
    """The config without what other suites, seeds and tables change, by which parts are known."""
    options = config.eval.model_copy(update={"suites": (suite,), "seeds": 1, "ks": ()})
    return config.model_copy(update={"eval": options})


def _evaluated(
    config: configs.Config,
    base: setup.Base,
    candidate: Candidate,
    home: Path,
    suite: str,
    seed: int,
) -> EvalResult:
    tag, step, model = candidate
    # All there are, where a task does not draw as many as it is asked for.
    count = getattr(base.task, "num_held_out", config.eval.num_problems)
    asked = Asked(tag, step, config.eval.num_samples, seed, count, suite)
    path = suite_file(home, suite, tag, seed)
    with stage(f"{suite}, {tag}, seed {seed + 1} of {config.eval.seeds}") as told:
        result = evaluate_model(
            config, base, model, asked, folder=path.with_suffix(""), progress=told.progress
        )
    if hosts.is_main():
        result.save(path)
    return result
