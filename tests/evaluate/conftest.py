"""Small evaluation results and run folders, made up but shaped like real ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from sage_jax.evaluate import EvalResult, ProblemResult


def _problem(rng: np.random.Generator, place: int, rate: float, samples: int) -> ProblemResult:
    correct = int(rng.binomial(samples, rate))
    wrong = int(rng.binomial(samples - correct, 0.8))
    votes = rng.multinomial(wrong, [0.6, 0.3, 0.1])
    gold = str(place)
    answers = {gold: correct} | {f"no-{n}": int(v) for n, v in enumerate(votes)}
    return ProblemResult(
        f"p{place:03d}", correct, samples, {a: v for a, v in answers.items() if v}, gold
    )


@pytest.fixture(scope="session")
def make_result():
    """make_result(tag, step, rate=..., problems=..., samples=..., seed=...) -> EvalResult."""

    def build(tag="final", step=40, *, rate=0.4, problems=24, samples=16, seed=0, task="toy"):
        rng = np.random.default_rng(seed)
        rates = np.clip(rng.beta(2 * rate, 2 * (1 - rate), size=problems), 0.0, 1.0)
        entries = tuple(_problem(rng, i, float(r), samples) for i, r in enumerate(rates))
        return EvalResult(tag, step, task, samples, seed, 1.0, entries, 12.5, 0.05)

    return build


def _metrics(steps: int, seed: int, guided: bool) -> list[dict]:
    rng = np.random.default_rng(seed)
    rows = []
    for step in range(1, steps + 1):
        row = {"step": step, "time": 0.5 * step, "reward": 0.2 + 0.01 * step + rng.normal(0, 0.02)}
        row |= {"pass@1": row["reward"], "kl/reference": 0.01 * step, "entropy": 1.0 / step}
        row |= {"length/mean": 12.0, "groups/zero_variance": 0.25, "seconds/rollout": 0.2}
        row |= {"tokens_per_s/rollout": 1000.0, "memory/peak_bytes": 2**30}
        if guided:
            row |= {"q/mean": 1.02, "q/min": 1.0, "q/max": 1.3, "q/above_one": 0.1}
        rows.append(row)
    return rows


HOSTILE = "</pre></details><script>alert('pwned')</script><img src=x onerror=alert(1)> & \u202eevil"


@pytest.fixture(scope="session")
def write_run(make_result):
    """write_run(folder, ...) writes a run folder and returns it."""

    def write(folder: Path, *, rate=0.5, seed=1, guided=False, config=None, steps=40) -> Path:
        (folder / "samples").mkdir(parents=True)
        make_result("base", 0, rate=0.25).save(folder / "eval" / "base.json")
        make_result("step", 20, rate=0.4, seed=seed).save(folder / "eval" / "step-000020.json")
        make_result("final", steps, rate=rate, seed=seed).save(folder / "eval" / "final.json")
        settings = {"seed": seed, "loss": {"kl_coef": 0.05}} if config is None else config
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        lines = [json.dumps(row) for row in _metrics(steps, seed, guided)]
        (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
        samples = [
            {"step": steps, "id": "p000", "prompt": f"<b>prompt</b> {HOSTILE}", "gold": "<7>",
             "completion": f"attempt {n} {HOSTILE}", "reward": float(n % 2), "finish": "length"}
            for n in range(5)
        ]  # fmt: skip
        path = folder / "samples" / f"step-{steps:06d}.jsonl"
        path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
        return folder

    return write


@pytest.fixture(scope="session")
def arms(tmp_path_factory, write_run) -> Path:
    """A folder of two arms that share a base model."""
    parent = tmp_path_factory.mktemp("study")
    write_run(parent / "grpo", rate=0.5, seed=1)
    write_run(parent / "sage", rate=0.6, seed=2, guided=True,
              config={"seed": 1, "loss": {"kl_coef": 0.05, "guide": "branch"}})  # fmt: skip
    return parent
