"""pass@k and pass^k of the same verdicts by us, by lighteval, and by two that are known to err.

    python benchmarks/passk.py --python /tmp/lighteval/bin/python       # requirements/lighteval.txt
    python benchmarks/passk.py --python ... --result runs/NAME/eval/final.json

Without a file the verdicts are drawn: problems whose chances are spread as a hard suite's are.
The two that err are SAGE's published evaluation, which takes pass@1 of the last problem alone, and
any-of-n, which takes all samples for k.
"""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import results

from sage_jax.evaluate import EvalResult, all_pass_at_k, ladder, pass_at_k

PEER = Path(__file__).resolve().parent / "peers" / "lighteval_passk.py"


def main() -> None:
    """Compare, and write benchmarks/results/passk.{json,md}."""
    parser = _parser()
    options = parser.parse_args()
    correct, samples = _counts(options)
    ks = ladder(samples)
    peer = _lighteval(options.python, correct, samples, ks)
    rows = [
        _row(k, correct, samples, peer["pass"][place], peer["all"][place])
        for place, k in enumerate(ks)
    ]
    figures = {
        "problems": len(correct),
        "samples": samples,
        "lighteval": peer["version"],
        "rows": rows,
        "last_problem": float(correct[-1] / samples),
        "any_of_n": float((correct > 0).mean()),
    }
    options.python = "LIGHTEVAL"
    defaults = parser.parse_args(["--python", ""])
    results.write("passk", results.command(options, defaults, "passk.py"), figures, _table(figures))


def _row(k: int, correct: np.ndarray, samples: int, theirs: Any, theirs_all: Any) -> dict[str, Any]:
    """Means of both programs, and the problem on which they differ most."""
    pairs = {
        "pass": (pass_at_k(correct, samples, k), np.array(theirs)),
        "all": (all_pass_at_k(correct, samples, k), np.array(theirs_all)),
    }
    means = {name: [float(of.mean()) for of in both] for name, both in pairs.items()}
    furthest = max(float(np.abs(own - other).max()) for own, other in pairs.values())
    return {"k": k, **means, "largest_difference": furthest}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="an interpreter that has lighteval")
    parser.add_argument("--result", type=Path, help="a sampled evaluation; else verdicts are drawn")
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--problems", type=int, default=60)
    return parser


def _counts(options: argparse.Namespace) -> tuple[np.ndarray, int]:
    """Right samples of each problem, and n."""
    if options.result:
        result = EvalResult.load(options.result)
        return np.array([int(problem.correct) for problem in result.problems]), result.samples
    rng = np.random.default_rng(0)
    return rng.binomial(options.samples, rng.beta(0.3, 0.9, options.problems)), options.samples


def _lighteval(python: str, correct: np.ndarray, samples: int, ks: tuple[int, ...]) -> Any:
    verdicts = [[n < c for n in range(samples)] for c in correct.tolist()]
    request = json.dumps({"verdicts": verdicts, "ks": ks})
    done = subprocess.run(
        [python, PEER], input=request, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def _table(figures: dict[str, Any]) -> str:
    head = ["k", "pass@k", "lighteval", "pass^k", "lighteval", "largest difference of a problem"]
    rows = [
        [
            row["k"],
            *(f"{value:.10f}" for value in (*row["pass"], *row["all"])),
            f"{row['largest_difference']:.1e}",
        ]
        for row in figures["rows"]
    ]
    return (
        f"{figures['problems']} problems, {figures['samples']} samples each\n\n"
        f"{results.table(head, rows)}\n\n"
        f"SAGE's published evaluation would say pass@1 = {figures['last_problem']:.4f} (of the "
        f"last problem alone), and any-of-n {figures['any_of_n']:.4f} whatever k is."
    )


if __name__ == "__main__":
    main()
