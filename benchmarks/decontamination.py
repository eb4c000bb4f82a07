"""Which training problems stand in the evaluation sets: how many, in what time and memory.

    python benchmarks/decontamination.py --folder DATA            # SAGE_DATA_DIR by default

One row for each evaluation set: its problems, how many of them stand in the training file, and the
training problems that are removed for it. `--pairs` prints every pair, for reading.
"""

import argparse
import os
import resource
import time
from itertools import chain
from pathlib import Path

import results

from sage_jax.data import Problem, read_problems
from sage_jax.data.decontaminate import Decontaminated, decontaminate

EVALUATION = ("math500", "aime24", "aime25", "amc23", "minerva", "gsm8k_test")


def main() -> None:
    """Read, find, and write benchmarks/results/decontamination.{json,md}."""
    parser = _parser()
    options = parser.parse_args()
    train = read_problems(options.folder / options.train)
    sets = {name: read_problems(options.folder / f"{name}.jsonl") for name in EVALUATION}
    evaluation = list(chain(*sets.values()))
    before, began, spent = _peak(), time.perf_counter(), time.process_time()
    found = decontaminate(train, evaluation)
    seconds, spent = time.perf_counter() - began, time.process_time() - spent
    markdown = (
        f"{as_table(sets, found)}\n\n{len(train)} problems of {options.train}, of which "
        f"{len(train) - len(found.kept)} are removed, in {seconds:.1f} s, {spent:.1f} s of one "
        f"core; the peak of memory rose by {_peak() - before:.0f} MB"
    )
    figures = {"seconds": seconds, "core_seconds": spent, "rose_mb": _peak() - before}
    command = results.command(options, parser.parse_args([]), "decontamination.py")
    results.write("decontamination", command, figures | {"removed": found.removed}, markdown)
    if options.pairs:
        print_pairs(train, sets, found)


def as_table(sets: dict[str, list[Problem]], found: Decontaminated) -> str:
    """Problems, found ones, and training problems removed as equal and for an overlap."""
    rows = []
    for name, problems in sets.items():
        ids = {problem.id for problem in problems}
        removed = [one for one in found.removed if one.evaluation_id in ids]
        equal = sum(one.reason == "equal" for one in removed)
        met = len({one.evaluation_id for one in removed})
        rows.append([name, len(problems), met, equal, len(removed) - equal])
    return results.table(
        ["evaluation set", "problems", "found", "removed: equal", "removed: overlap"], rows
    )


def print_pairs(train: list[Problem], sets: dict[str, list[Problem]], found: Decontaminated):
    """The statements of every pair, one above the other."""
    texts = {one.id: one.problem for one in chain(train, *sets.values())}
    for one in sorted(found.removed, key=lambda one: one.evaluation_id):
        print(f"\n{one.reason} {one.containment:.2f}")
        for name in (one.evaluation_id, one.id):
            print(f"  {name}: {' '.join(texts[name].split())}")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    folder = Path(os.environ.get("SAGE_DATA_DIR", "."))
    parser.add_argument("--folder", type=Path, default=folder)
    parser.add_argument("--train", default="dapo_math_17k.jsonl.gz")
    parser.add_argument("--pairs", action="store_true")
    return parser


if __name__ == "__main__":
    main()
