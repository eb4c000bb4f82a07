"""The hostile and the benign suite: nothing hangs, dies or is paid wrongly; misses are known.

With SAGE_DATA_DIR the benign suite is also made from all of the evaluation sets.
"""

import builtins
import os
import random
from pathlib import Path

import pytest
import sympy.parsing.sympy_parser
from suites import benign, hostile, spelled

from sage_jax.rewards import VerifierPool, score

LIMIT = 1_500_000_000
FIXTURES = Path(__file__).parents[1] / "data" / "fixtures"
FOLDER = os.environ.get("SAGE_DATA_DIR")
EVALUATION = ("math500", "minerva", "aime24", "aime25", "amc23", "gsm8k_test")


def judged(cases, pool):
    futures = [pool.submit(case.completion, case.gold, case.question) for case in cases]
    return list(zip(cases, [future.result() for future in futures], strict=True))


def misjudged(cases, pool):
    return [
        (case.name, case.gold, case.completion[-200:], verdict.reason)
        for case, verdict in judged(cases, pool)
        if verdict.reward != case.reward
    ]


def peak_bytes(pid):
    """The most memory a process has mapped so far; it is new with the program, unlike ru_maxrss."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmPeak")]
    return int(line.split()[1]) * 1024


@pytest.fixture(scope="module")
def problems():
    return [problem for name in ("math500", "gsm8k_test") for problem in loaded(FIXTURES, name)]


def loaded(folder, name):
    return benign.load(folder / f"{name}.jsonl")


def test_hostile_completions_get_nothing_and_do_no_harm():
    cases = hostile.suite()
    assert len(cases) >= 2000
    with VerifierPool(num_workers=1, memory_limit=LIMIT) as pool:
        pool.score([(r"\boxed{x+1}", "1+x")])
        (before,) = [worker.pid for worker in pool._shared.workers]
        assert misjudged(cases, pool) == []
        assert pool.lost == {"crashed": 0, "deadline": 0, "memory": 0}
        (after,) = [worker.pid for worker in pool._shared.workers]
        assert after == before, "a worker was replaced, so its peak is not known"
        assert 0 < peak_bytes(after) < LIMIT


def test_verdicts_do_not_depend_on_order_or_neighbours(pool):
    cases = random.Random(1).sample(hostile.suite(), 200)
    cases += random.Random(1).sample(benign.right(benign.load(FIXTURES / "math500.jsonl")), 50)
    reasons = {case.name: verdict.reason for case, verdict in judged(cases, pool)}
    random.Random(2).shuffle(cases)
    assert {case.name: verdict.reason for case, verdict in judged(cases, pool)} == reasons
    alone = {case.name: score(*case[1:3], case.question).reason for case in cases}
    assert alone == reasons


def test_no_text_is_evaluated(monkeypatch, tmp_path):
    cases = [case for case in hostile.suite() if case.name.startswith(("code", "injection"))]
    assert score(r"\boxed{x+1}", "1+x").reward == 1.0  # the library is loaded
    evaluated = []
    for home, name in ((builtins, "eval"), (sympy.parsing.sympy_parser, "parse_expr")):
        monkeypatch.setattr(home, name, lambda *args, **kwargs: evaluated.append(args))
    monkeypatch.chdir(tmp_path)
    assert [score(case.completion, case.gold).reward for case in cases] == [0.0] * len(cases)
    assert evaluated == []
    assert list(tmp_path.iterdir()) == []


def test_benign_completions_in_every_format(problems, pool):
    cases = benign.right(problems, per_gold=99)
    assert len(cases) >= 2000
    assert misjudged(cases, pool) == []


def test_other_answers_are_wrong(problems, pool):
    cases = benign.wrong(problems, per_gold=4)
    assert len(cases) >= 300
    assert misjudged(cases, pool) == []


@pytest.mark.parametrize(("gold", "answer"), spelled.RIGHT)
def test_spelled_by_hand(gold, answer, pool):
    assert pool.score([(rf"\boxed{{{answer}}}", gold)])[0].reason == "correct"


@pytest.mark.parametrize(("gold", "answer", "why"), spelled.MISSED)
def test_what_is_missed_is_known(gold, answer, why, pool):
    (verdict,) = pool.score([(rf"\boxed{{{answer}}}", gold)])
    assert verdict.reward == 0.0, f"no longer missed ({why}): move it to RIGHT"


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="SAGE_DATA_DIR names no folder of the data files")
@pytest.mark.parametrize("name", EVALUATION)
def test_whole_evaluation_sets(name, pool):
    rows = loaded(Path(FOLDER or ""), name)
    assert misjudged(benign.right(rows, per_gold=99 if len(rows) < 600 else 5), pool) == []
    assert misjudged(benign.wrong(rows, per_gold=4), pool) == []
