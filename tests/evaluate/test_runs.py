import shutil

import numpy as np
import pytest

from sage_jax.evaluate import ResultError, read_run, read_runs
from sage_jax.evaluate.runs import base_results
from sage_jax.evaluate.samples import read_samples


def test_a_folder_of_arms_stands_for_its_runs(arms):
    runs = read_runs([arms])
    assert [run.name for run in runs] == ["grpo", "sage"]
    assert [run.name for run in read_runs([arms / "sage", arms / "grpo"])] == ["sage", "grpo"]
    grpo = runs[0]
    assert grpo.config["loss"] == {"kl_coef": 0.05}
    assert len(grpo.metrics["step"]) == 40
    assert grpo.base is not None
    assert grpo.final is not None
    assert (grpo.base.step, [r.step for r in grpo.history], grpo.final.step) == (0, [20], 40)
    assert len(grpo.samples) == 5
    assert list(base_results(runs)) == ["base"]


def test_runs_of_one_name_are_told_apart_by_their_parents(tmp_path, write_run):
    write_run(tmp_path / "one" / "sage")
    write_run(tmp_path / "two" / "sage")
    runs = read_runs([tmp_path / "one" / "sage", tmp_path / "two"])
    assert [run.name for run in runs] == ["one/sage", "two/sage"]


def test_an_arm_called_base_is_not_mistaken_for_the_base_model(tmp_path, write_run):
    assert read_run(write_run(tmp_path / "base")).name == "base (run)"


def test_a_run_still_going_has_less_in_it(tmp_path, write_run, make_result):
    run = write_run(tmp_path / "run")
    (run / "eval" / "final.json").unlink()
    found = read_run(run)
    assert found.final is not None
    assert found.final.step == 20
    shutil.rmtree(run / "eval")
    shutil.rmtree(run / "samples")
    (run / "config.yaml").unlink()
    found = read_run(run)
    assert (found.base, found.history, found.final, found.samples) == (None, (), None, ())
    assert found.config == {}


def test_a_folder_with_evaluations_only_is_a_run(tmp_path, make_result):
    make_result("base", 0).save(tmp_path / "eval" / "base.json")
    (run,) = read_runs([tmp_path])
    assert run.base is not None
    assert run.metrics == {}


def test_bases_that_differ_are_kept_apart(tmp_path, write_run, make_result):
    runs = [write_run(tmp_path / name) for name in ("a", "b")]
    make_result("base", 0, seed=9).save(runs[1] / "eval" / "base.json")
    assert list(base_results(read_runs(runs))) == ["base of a", "base of b"]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda _: None, "missing: no such folder"),
        (lambda path: path.mkdir(), "neither a run folder"),
        (lambda path: path.write_text(""), "no such folder"),
    ],
)
def test_what_is_no_run_folder_is_refused(tmp_path, prepare, message):
    prepare(tmp_path / "missing")
    with pytest.raises(ResultError, match=message):
        read_runs([tmp_path / "missing"])


def test_no_folder_or_one_given_twice_is_refused(arms):
    with pytest.raises(ResultError, match="no run folder given"):
        read_runs([])
    with pytest.raises(ResultError, match="given twice"):
        read_runs([arms, arms / "sage"])


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1", "not YAML"), ("- 1", "must hold a mapping, got list"), ("", "got NoneType")],
)
def test_a_corrupt_config_is_refused(tmp_path, text, message):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ResultError, match=rf"config\.yaml: .*{message}"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"step": 1, "completion": 7, "reward": 1}', "line 1: completion must be text, got 7"),
        ('{"step": 1, "reward": "1"}', "line 1: reward must be a number, got '1'"),
        ('{"reward": 1}', "line 1: step must be a whole number, got None"),
        ("{", "line 1: not a JSON object"),
        ('{"step": 1, "reward": 1, "completion": "ab", "tokens": ["a"]}', "tokens joined are 'a'"),
        ('{"step": 1, "reward": 1, "tokens": ["", 2]}', "tokens must be a list of texts, got"),
        (
            '{"step": 1, "reward": 1, "completion": "ab", "tokens": ["a", "b"], "q": [1]}',
            "q must be a number for each of 2 tokens, got ",
        ),
        ('{"step": 1, "reward": 1, "tokens": [""], "logps": ["0"]}', "logps must be a number"),
    ],
)
def test_corrupt_samples_are_refused(tmp_path, line, message):
    path = tmp_path / "step-000001.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ResultError, match=message):
        read_samples(path)


def test_figures_of_tokens_are_read_and_what_was_no_number_stays_unknown(tmp_path):
    path = tmp_path / "step-000001.jsonl"
    path.write_text(
        '{"step": 1, "reward": 1, "completion": "a b", "tokens": ["a", " b"], "q": [1, 0.6], '
        '"logps": [-0.25, null], "advantages": -1}\n{"step": 1, "reward": 0}\n'
    )
    known, text = read_samples(path)
    assert known.tokens is not None
    assert known.tokens.texts == ("a", " b")
    found = {name: values.tolist() for name, values in known.tokens.figures.items()}
    assert found.pop("logps") == pytest.approx([-0.25, np.nan], nan_ok=True)
    assert found == {"q": pytest.approx([1, 0.6]), "advantages": [-1, -1]}
    assert text.tokens is None


def test_samples_come_from_the_last_file_that_has_any(tmp_path, write_run):
    run = write_run(tmp_path / "run")
    (run / "samples" / "step-000050.jsonl").write_text('{"step": 50, "torn')
    samples = read_run(run).samples
    assert {sample.step for sample in samples} == {40}
    np.testing.assert_array_equal([sample.reward for sample in samples], [0, 1, 0, 1, 0])
