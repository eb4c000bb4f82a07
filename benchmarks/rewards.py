"""The verifier against the suites of tests/rewards, and plain math-verify beside it.

    python benchmarks/rewards.py [--baseline boxed|bare] [--sample N] [--data FOLDER] [--seed N]

Prints wrongly paid and wrongly refused, killed, memory, speed; of --sample cases drawn from each
part of the suites, or of all. FOLDER holds the evaluation sets as JSON Lines; without it the benign
suite is made from the fixtures of the tests.
"""

import argparse
import itertools
import json
import os
import random
import resource
import select
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "rewards")]
FIXTURES = ROOT / "tests" / "data" / "fixtures"
KILL_S, SLOW_S, LARGE, LIMIT = 10.0, 4.9, 10**9, 6 * 10**9


def main():
    """Judge the suites and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--baseline", choices=("boxed", "bare", "none"), default="none")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return serve()
    draw = random.Random(options.seed)
    hostile, right, wrong = (
        draw.sample(part, min(len(part), options.sample or len(part))) for part in suites(options)
    )
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {len(hostile)} hostile,"
          f" {len(right)} right and {len(wrong)} wrong benign completions")  # fmt: skip
    if options.baseline == "none":
        ours(hostile, right, wrong, options.seed)
    else:
        baseline([*hostile, *right, *wrong], boxed=options.baseline == "boxed")
    return None


def suites(options):
    """The hostile, the right and the wrong benign cases."""
    from suites import benign, hostile

    folder = options.data or FIXTURES
    problems = [row for path in sorted(folder.glob("*.jsonl")) for row in benign.load(path)]
    few = 99 if len(problems) < 100 else 6
    right = benign.right(problems, per_gold=few, seed=options.seed)
    return hostile.suite(options.seed), right, benign.wrong(problems, per_gold=4, seed=options.seed)


def report(name, cases, outcomes):
    """Print what was paid and refused against the suite."""
    paid = [case.name for case, reward in zip(cases, outcomes, strict=True) if reward > case.reward]
    refused = [
        case.name for case, reward in zip(cases, outcomes, strict=True) if reward < case.reward
    ]
    print(f"{name}: {len(cases)} judged, wrongly paid {len(paid)}, wrongly refused {len(refused)}")
    print("  paid:", kinds(paid), "\n  refused:", kinds(refused))


def kinds(names):
    """How many of each kind, by the name before the number or the problem."""
    short = sorted(name.split(":")[0].rsplit("-", 1)[0] for name in names)
    return {kind: len(list(group)) for kind, group in itertools.groupby(short)}


# This verifier.


def ours(hostile, right, wrong, seed):
    """Print the figures of this verifier."""
    from sage_jax.rewards import VerifierPool

    with VerifierPool(num_workers=1) as pool:
        pool.score([(r"\boxed{x+1}", "1+x")])
        verdicts, _, _ = judged(pool, [*hostile, *right, *wrong])
        rewards = [verdict.reward for verdict in verdicts]
        report("ours", [*hostile, *right, *wrong], rewards)
        print(f"  slowest {max(verdict.seconds for verdict in verdicts):.2f} s")
        (worker,) = pool._shared.workers
        peak = status_bytes(worker.pid, "VmHWM") / 1e6
        mapped = status_bytes(worker.pid, "VmPeak") / 1e6
        print(f"  lost: {pool.lost}; worker at most {peak:.0f} MB resident, {mapped:.0f} MB mapped")
    speed(right, hostile, seed)


def speed(right, hostile, seed):
    """Answers a second of CPU, parent and worker together, on benign and on mixed completions."""
    from sage_jax.rewards import VerifierPool

    generator = random.Random(seed)
    benign = generator.sample(right, len(right))
    mixed = benign + generator.choices(hostile, k=round(len(benign) / 19))
    generator.shuffle(mixed)
    rates = {}
    for name, cases in (("benign", benign), ("with 5% hostile", mixed)):
        with VerifierPool(num_workers=1) as pool:
            pool.score([(r"\boxed{x+1}", "1+x")])
            _, cpu, wall = judged(pool, cases)
        rates[name] = len(cases) / cpu
        print(f"  {name}: {rates[name]:.0f} answers per core-second, {len(cases) / wall:.0f} a"
              f" second here")  # fmt: skip
    print(f"  slowdown with 5% hostile: {rates['benign'] / rates['with 5% hostile']:.2f}")


def judged(pool, cases):
    """Verdicts, CPU seconds of parent and workers, wall seconds."""
    started, cpu = time.perf_counter(), cpu_s(pool)
    futures = [pool.submit(case.completion, case.gold, case.question) for case in cases]
    verdicts = [future.result() for future in futures]
    return verdicts, cpu_s(pool) - cpu, time.perf_counter() - started


def cpu_s(pool):
    """CPU seconds of this process and of its workers, ended or not."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = sum(worker._cpu_s() for worker in list(pool._shared.workers))
    return time.process_time() + ended.ru_utime + ended.ru_stime + running


def status_bytes(pid, field):
    """A field of the memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


# Plain math-verify, as its README shows, in a process that is killed when it hangs.


def baseline(cases, *, boxed):
    """Print the figures of math-verify."""
    outcomes = list(asked(cases, boxed=boxed))
    report(
        f"math-verify, gold {'boxed' if boxed else 'bare'}", cases, [o["reward"] for o in outcomes]
    )
    killed = sum(outcome["killed"] for outcome in outcomes)
    slow = sum(outcome["seconds"] > SLOW_S for outcome in outcomes)
    large = sum(outcome["peak"] > LARGE for outcome in outcomes)
    print(f"  killed after {KILL_S:.0f} s or dead: {killed}; above {SLOW_S} s: {slow};"
          f" above 1 GB: {large}")  # fmt: skip
    quick = [o["seconds"] for case, o in zip(cases, outcomes, strict=True) if case.reward]
    print(f"  right ones: {len(quick) / sum(quick):.0f} answers a core-second")


def asked(cases, *, boxed):
    """Outcomes in order; a worker that hangs is killed and replaced."""
    worker = None
    for case in cases:
        worker = worker or started()
        gold = rf"\boxed{{{case.gold}}}" if boxed else case.gold
        outcome = ask(worker, {"gold": gold, "completion": case.completion})
        if outcome["killed"]:
            worker.kill()
            worker.wait()
            worker = None
        yield outcome


def started():
    """Start a worker and wait until it is ready."""
    worker = subprocess.Popen(
        [sys.executable, __file__, "--worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert worker.stdout is not None
    worker.stdout.readline()
    return worker


def ask(worker, question):
    """Ask for one outcome, for so many seconds."""
    try:
        worker.stdin.write(json.dumps(question).encode() + b"\n")
        worker.stdin.flush()
        if select.select([worker.stdout], [], [], KILL_S)[0] and (line := worker.stdout.readline()):
            return json.loads(line) | {"killed": False}
    except BrokenPipeError:
        pass
    return {"reward": 0.0, "seconds": KILL_S, "peak": 0, "killed": True}


def serve():
    """Judge the lines of standard input, as a worker."""
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    print("ready", flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        Path("/proc/self/clear_refs").write_text("5")  # forget the most memory so far
        started_at = time.process_time()
        try:
            reward = float(verify(parse(question["gold"]), parse(question["completion"])))
        except Exception:
            reward = 0.0
        seconds = time.process_time() - started_at
        peak = status_bytes("self", "VmHWM")
        print(json.dumps({"reward": reward, "seconds": seconds, "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
