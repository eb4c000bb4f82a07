import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sage_jax.rewards import VerifierError, VerifierPool, score, workers

# Needs the worker: neither is a plain number.
PAIR = (r"\boxed{x+1}", "1+x")
# What an answer may hold depends on the gold, so only such a gold lets a tower in.
HOSTILE = (r"\boxed{\exp(\exp(\exp(\exp(99))))}", r"\exp(\exp(\exp(\exp(x))))")


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_gone(pids):
    until = time.monotonic() + 300
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, pids))


def pids(pool):
    return [worker.pid for worker in list(pool._shared.workers)]


def other_pids(pool, before):
    """Wait for workers that were not there before: they are replaced after the verdict is out."""
    until = time.monotonic() + 300
    while not (new := set(pids(pool)) - before):
        assert time.monotonic() < until, "the worker was not replaced"
        time.sleep(0.01)
    return new


def kill_busy(pool):
    """Kill the worker once it is at work (and not, when new, still importing)."""
    workers = [worker for worker in list(pool._shared.workers) if worker._ready]
    started = [worker._cpu_s() for worker in workers]
    time.sleep(0.3)
    for worker, before in zip(workers, started, strict=True):
        if worker._cpu_s() > before + 0.05:
            worker.signal_end()


def test_order_and_equality_with_score(pool):
    pairs = [(rf"\boxed{{x+{i % 7}}}", f"{i % 5}+x") for i in range(60)]
    pairs += [("nothing", "x"), (r"\boxed{7}", "7"), (r"\boxed{\neq 42}", "42")]
    got = [(verdict.reward, verdict.reason) for verdict in pool.score(pairs)]
    alone = [score(*pair) for pair in pairs]
    assert got == [(verdict.reward, verdict.reason) for verdict in alone]
    assert {reason for _, reason in got} >= {"correct", "wrong", "no_answer"}


def test_no_pairs(pool):
    assert pool.score([]) == []


def test_strange_text_crosses_the_pipe(pool):
    pairs = [("\\boxed{x \ud800 \0 \u202e é 中}", "1+x"), PAIR]
    assert [verdict.reward for verdict in pool.score(pairs)] == [0.0, 1.0]


def test_from_threads(pool):
    rewards = []
    threads = [
        threading.Thread(target=lambda: rewards.extend(v.reward for v in pool.score([PAIR] * 3)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rewards == [1.0] * 12


def test_hostile_answer_is_killed_and_its_neighbours_judged():
    with VerifierPool(num_workers=1, deadline_s=0.5) as pool:
        pool.score([PAIR])
        before = pids(pool)
        verdicts = pool.score([PAIR, HOSTILE, (r"\boxed{x+2}", "2+x")])
        assert [verdict.reason for verdict in verdicts] == ["correct", "deadline", "correct"]
        assert verdicts[1].reward == 0.0
        assert verdicts[1].seconds >= 0.5
        assert [verdict.lost for verdict in verdicts] == [False, True, False]
        assert pool.lost == {"crashed": 0, "deadline": 1, "memory": 0}
        assert pids(pool) != before
        assert not any(map(alive, before))


def test_deadline_counts_work_not_waiting():
    with VerifierPool(num_workers=1, deadline_s=1.0) as pool:
        pool.score([PAIR])
        (pid,) = pids(pool)
        os.kill(pid, signal.SIGSTOP)
        future = pool.submit(*PAIR)
        time.sleep(1.5)  # Longer than the deadline, and far from five times as long.
        os.kill(pid, signal.SIGCONT)
        assert future.result().reason == "correct"
        assert pids(pool) == [pid]


def test_worker_that_stops_for_good_is_replaced():
    with VerifierPool(num_workers=1, deadline_s=0.2) as pool:
        pool.score([PAIR])
        os.kill(pids(pool)[0], signal.SIGSTOP)
        assert pool.score([PAIR, (r"\boxed{x+2}", "2+x")])[0].reason == "deadline"
        assert pool.score([PAIR])[0].reason == "correct"


def test_survives_death_of_idle_and_busy_workers():
    with VerifierPool(num_workers=1, deadline_s=30.0) as pool:
        pool.score([PAIR])
        os.kill(pids(pool)[0], signal.SIGKILL)
        assert pool.score([PAIR])[0].reason == "correct"
        future = pool.submit(*HOSTILE)
        while not future.done():
            kill_busy(pool)
        assert future.result().reason == "crashed"
        assert pool.score([PAIR])[0].reason == "correct"


def test_a_large_parent_does_not_wear_its_workers_out():
    held = b"x" * 1_000_000_000  # resident, and more than half of a worker's limit
    with VerifierPool(num_workers=1) as pool:
        pool.score([PAIR])
        time.sleep(0.2)  # a worker that is to be replaced is so after its verdict is out
        before = pids(pool)
        pool.score([(r"\boxed{x+2}", "2+x"), PAIR])
        time.sleep(0.2)
        assert pids(pool) == before
    assert len(held) == 1_000_000_000


def test_workers_are_recycled():
    with VerifierPool(num_workers=1, recycle_after=1) as pool:
        before = other_pids(pool, set())
        for i in range(3):
            assert pool.score([(rf"\boxed{{x+{i}}}", f"{i}+x")])[0].reward == 1.0
            before = other_pids(pool, before)


def test_close_leaves_no_child_and_refuses_the_rest():
    pool = VerifierPool(num_workers=2, deadline_s=60.0)
    pool.score([PAIR])
    children = pids(pool)
    waiting = [
        pool.submit(rf"\boxed{{\exp(\exp(\exp(\exp({i + 95}))))}}", HOSTILE[1]) for i in range(5)
    ]
    time.sleep(0.3)
    pool.close()
    pool.close()
    assert not any(map(alive, children))
    for future in waiting:
        with pytest.raises(VerifierError, match="closed"):
            future.result(5)
    with pytest.raises(VerifierError, match="closed"):
        pool.submit(*PAIR)
    assert not any(thread.is_alive() for thread in pool._shared.threads)


def test_a_thread_that_leaves_does_not_take_the_word_meant_for_another(monkeypatch):
    """One that looks for its task only then would wait for ever, and so would who closes."""
    monkeypatch.setattr(workers, "_started", lambda _: None)
    shared = workers._Shared("the verifier", {}, deadline_s=1.0, give_up=0)
    first = threading.Thread(target=workers._serve, args=(shared,), daemon=True)

    def late():
        first.join()
        workers._serve(shared)

    shared.threads += [first, threading.Thread(target=late, daemon=True)]
    for thread in shared.threads:
        thread.start()
    closing = threading.Thread(target=shared.close, daemon=True)
    closing.start()
    closing.join(timeout=300)
    assert not closing.is_alive()


def test_close_before_the_workers_are_ready():
    pool = VerifierPool(num_workers=2)
    time.sleep(0.05)
    children = pids(pool)
    pool.close()
    assert not any(map(alive, children))


@pytest.mark.parametrize("end", ["os._exit(0)", "pass", "time.sleep(60)"])
def test_workers_end_with_their_parent(end, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, time\n"
        "from sage_jax.rewards import VerifierPool\n"
        "pool = VerifierPool(num_workers=1, deadline_s=0.1)\n"
        f"pool.score([{PAIR!r}])\n"
        f"pool.submit(*{HOSTILE!r})\n"
        "print(*[worker.pid for worker in pool._shared.workers], flush=True)\n"
        f"{end}\n"
    )
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 1
        if "sleep" in end:
            parent.kill()
        parent.wait(300)
    assert wait_gone(children)


def test_program_without_main_guard_and_with_heavy_imports(tmp_path):
    # Workers import neither the caller's main module nor what lies beside it.
    program = tmp_path / "program.py"
    program.write_text(
        "from sage_jax.rewards import VerifierPool\n"
        "print('main')\n"
        "with VerifierPool(num_workers=1) as pool:\n"
        f"    print(pool.score([{PAIR!r}])[0].reason)\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["main", "correct"], done.stderr


def test_worker_does_not_import_jax():
    code = (
        "import sys; import sage_jax.rewards.worker, sage_jax.rewards as r; r.VerifierPool;"
        "assert not {'jax', 'numpy', 'flax', 'math_verify'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_worker_that_cannot_start_is_said(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with VerifierPool(num_workers=1) as pool:
        with pytest.raises(VerifierError, match="does not start"):
            pool.score([PAIR])
        with pytest.raises(VerifierError, match="does not start"):
            pool.score([PAIR])


def test_memory_is_limited():
    zeros = r"\operatorname{zeros}"
    pair = (rf"\boxed{{{zeros}(1, 300000000)}}", rf"{zeros}(1, 3)")
    with VerifierPool(num_workers=1) as pool:
        verdicts = pool.score([pair, PAIR])
    assert [verdict.reward for verdict in verdicts] == [0.0, 1.0]


@pytest.mark.parametrize("name", ["num_workers", "deadline_s", "memory_limit", "recycle_after"])
def test_knobs_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be positive and finite, got 0"):
        VerifierPool(**{"num_workers": 1, name: 0})
