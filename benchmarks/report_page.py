"""How heavy the report's page is with many completions, and how soon it is painted.

python benchmarks/report_page.py --completions 1000 --tokens 2000

Writes two run folders with samples that look like a language model's (common and rare words, few
forks, q of `branch`), their report, and prints its bytes. Where Chromium is found, the page is
opened without a window: seconds to the first paint, to completions that can be looked at, and for a
change of colours.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import tyro

from sage_jax.evaluate import write_report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium

WORDS, GROUP = 6000, 4
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
CHANGE = """(() => { const begun = performance.now(); document.querySelector("[value=q]").click();
  document.body.offsetHeight; return (performance.now() - begun) / 1000; })()"""


def vocabulary(rng: np.random.Generator) -> list[str]:
    """Texts of tokens, most common first."""
    letters = list("etaoinshrdlucmfwypvbgk")
    words = ["".join(rng.choice(letters, rng.integers(1, 9))) for _ in range(WORDS)]
    return [",", ".", "\n", " =", " +", *"0123456789", *(f" {word}" for word in words)]


def line(rng: np.random.Generator, texts: list[str], row: int, tokens: int, shaped: bool) -> str:
    """A completion with figures: one token in eight is a fork, the others nearly certain."""
    odds = 1 / np.arange(1, len(texts) + 1)
    written = [texts[i] for i in rng.choice(len(texts), tokens, p=odds / odds.sum())]
    fork = rng.random(tokens) < 1 / 8
    entropies = np.where(fork, rng.gamma(3, 0.6, tokens), rng.exponential(0.08, tokens))
    logps = -np.where(fork, rng.exponential(1.5, tokens), rng.exponential(0.05, tokens))
    change = np.where(fork, rng.normal(0.1, 0.6, tokens), rng.normal(0, 0.03, tokens))
    q = np.clip(1 + 0.3 * np.maximum(entropies - 1.2, 0), 0.6, 1.4)
    arrays = {"entropies": entropies, "logps": logps, "ref_logps": logps - change}
    arrays |= {"q": q} if shaped else {}
    right = float(rng.integers(2))
    fields = {
        "step": 40, "id": f"train-{row // GROUP}", "prompt": f"Problem {row // GROUP}",
        "completion": "".join(written), "reward": right, "gold": "1", "finish": "stop",
        "tokens": written, "advantages": 1.7 * right - 0.85,
    }  # fmt: skip
    return json.dumps(fields | {name: own.round(4).tolist() for name, own in arrays.items()}) + "\n"


def write_run(folder: Path, completions: int, tokens: int, *, shaped: bool) -> None:
    """A run folder with one file of samples."""
    rng = np.random.default_rng(completions + shaped)
    texts = vocabulary(rng)
    (folder / "samples").mkdir(parents=True)
    (folder / "config.yaml").write_text(f"name: {folder.name}\n")
    lines = (line(rng, texts, row, tokens, shaped) for row in range(completions))
    (folder / "samples" / "step-000040.jsonl").write_text("".join(lines))


def main(completions: int = 1000, tokens: int = 2000) -> None:
    """Measure a page of so many completions of so many tokens."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        for name in ("grpo", "sage"):
            write_run(home / "runs" / name, completions // 2, tokens, shaped=name == "sage")
        page = write_report([home / "runs"], home / "report")
        print(f"{page.stat().st_size / 1e6:.2f} MB")
        if chromium.PROGRAM is None:
            return
        with chromium.browser(home / "chromium") as window:
            window.open(page.as_uri())
            ready = window.run("performance.now() / 1000")
            print(f"first paint {window.run(PAINT):.2f} s, ready {ready:.2f} s")
            print(f"colours changed in {window.run(CHANGE):.3f} s")
            assert not window.said, window.said


if __name__ == "__main__":
    tyro.cli(main)
