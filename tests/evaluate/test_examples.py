"""The examples of docs/evaluation.md run, over small made-up run folders."""

import dataclasses
import gzip
from types import EllipsisType
from typing import Any

import pages
import pytest

from sage_jax import evaluate
from sage_jax.evaluate.completions import Completion

PAGE = "docs/evaluation.md"
DIFFERENCES, TABLE, STORED = pages.blocks(PAGE, "python")


def run(block, **names: Any) -> Any:
    """The names after a block, and what its last line gives where that is an expression."""
    *lines, last = block.splitlines()
    exec(compile("\n".join(lines), PAGE, "exec"), names)
    if " = " not in last:
        return eval(last, names)
    exec(last, names)
    return names


def test_differences_of_two_evaluations(write_run, tmp_path, monkeypatch):
    write_run(tmp_path / "runs" / "arm", rate=0.6)
    monkeypatch.chdir(tmp_path)
    corrected = run(DIFFERENCES)
    assert len(corrected) == 2  # pass@1 and pass@16.
    assert all(0 < p <= 1 for p in corrected)
    assert corrected[0] < 0.05


def test_a_table_of_suites(make_result, capsys):
    (made,) = [line for line in TABLE.splitlines() if line.startswith("runs = ")]
    shown = eval(made.removeprefix("runs = "))
    assert shown["base"].keys() == {"aime24", "math500"}
    assert isinstance(shown["base"]["aime24"], EllipsisType)  # For results of one's own.
    results = {
        name: {suite: make_result(rate=0.2 + 0.2 * place, seed=place, samples=64, task=suite)
               for suite in shown["base"]}
        for place, name in enumerate(shown)
    }  # fmt: skip
    run(TABLE.replace(made, ""), runs=results)
    markdown, latex = capsys.readouterr().out.split("\\begin", maxsplit=1)
    for name in shown:
        assert name in markdown
        assert name in latex
    assert "math500 pass@64" in markdown.replace("`", "")


def test_stored_completions_are_judged_and_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = [("p1", "7"), ("p2", "5"), ("p1", "8"), ("p2", "12")]  # First and last are right.
    lines = [Completion(id, text).line() for id, text in said]
    with gzip.open("completions.jsonl.gz", "wt") as file:
        file.writelines(lines)

    def verdict(one):
        return dataclasses.replace(one, correct=(one.id, one.completion) in said[::3])

    def my_judge(completions):
        return [verdict(one) for one in completions]

    result = run(STORED, my_judge=my_judge)["result"]
    assert isinstance(result, evaluate.EvalResult)
    assert [(one.id, one.correct, one.samples) for one in result.problems] == [
        ("p1", 1, 2),
        ("p2", 1, 2),
    ]
    assert result.pass_table([1, 2]).mean(axis=0).tolist() == pytest.approx([0.5, 1])
