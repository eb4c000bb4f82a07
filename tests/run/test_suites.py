"""Evaluating models on suites: what is asked, what is kept, and how it is told."""

import contextlib
import functools
import json

import pytest

from sage_jax import models, setup
from sage_jax.config import ConfigError
from sage_jax.evaluate import EvalResult
from sage_jax.evaluate.suites import read_suites
from sage_jax.files import ResultError
from sage_jax.run import commands
from sage_jax.run.loop import train
from sage_jax.run.rejudging import judge_completions
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import StopRequest


@pytest.fixture(scope="module")
def evaluated(make_words_config, tmp_path_factory):
    """A model on two suites, twice each: (config, home)."""
    config = make_words_config(
        {
            "eval": {
                "suites": [
                    {"use": "arithmetic", "max_operand": 15, "operations": ["add"]},
                    {"use": "arithmetic", "name": "minus", "max_operand": 15,
                     "operations": ["subtract"], "instruction": "Subtract."},
                ],
                "num_samples": 2, "seeds": 2, "sampling": "paper",
            }
        }
    )  # fmt: skip
    home = tmp_path_factory.mktemp("suites")
    commands.evaluate_config(config, home)
    return config, home


def test_every_suite_is_asked_whole_by_every_seed(evaluated):
    _, home = evaluated
    files = sorted(str(path.relative_to(home)) for path in home.glob("**/*.json"))
    assert [name for name in files if "plan" not in name] == [
        f"{suite}/base/seed-{seed}.json" for suite in ("arithmetic", "minus") for seed in (0, 1)
    ]
    for suite in ("arithmetic", "minus"):
        first, second = (
            EvalResult.load(home / suite / "base" / f"seed-{seed}.json") for seed in (0, 1)
        )
        assert first.task == suite
        assert first.temperature == 0.3
        assert first.ids == second.ids
        assert (first.seed, second.seed) == (0, 1)
        parts = [(home / suite / "base" / f"seed-{s}" / "part-00000.jsonl.gz") for s in (0, 1)]
        assert parts[0].read_bytes() != parts[1].read_bytes()


def test_the_table_is_printed_and_kept(evaluated, capsys):
    config, home = evaluated
    commands.evaluate_config(config, home)
    shown = capsys.readouterr().out
    lines = {line.split("│")[1].strip(): line for line in shown.splitlines() if "│" in line}
    assert {"arithmetic", "minus", "average"} <= lines.keys()
    found = read_suites(home)["base"]
    mean = 100 * found["minus"].column("pass@1").mean()
    assert f"{mean:.1f} [" in lines["minus"]
    assert f"| base | {100 * found['arithmetic'].column('pass@1').mean():.1f}" in (
        (home / "table.md").read_text()
    )
    assert "\\toprule" in (home / "table.tex").read_text()


def test_what_is_kept_is_not_sampled_again(evaluated, monkeypatch):
    config, home = evaluated
    before = {path: path.read_bytes() for path in home.glob("**/*") if path.is_file()}
    monkeypatch.setattr(commands.setup, "sampler", lambda policy, decoding: None)
    commands.evaluate_config(config, home)
    assert before == {path: path.read_bytes() for path in home.glob("**/*") if path.is_file()}


def test_another_suite_and_seed_leave_what_is_there(evaluated, monkeypatch):
    config, home = evaluated
    before = {path: path.read_bytes() for path in home.glob("**/part-*")}
    options = config.eval.model_copy(update={"suites": config.eval.suites[:1], "seeds": 1})
    monkeypatch.setattr(commands.setup, "sampler", lambda policy, decoding: None)
    commands.evaluate_config(config.model_copy(update={"eval": options}), home)
    assert before == {path: path.read_bytes() for path in home.glob("**/part-*")}


def test_stored_completions_give_the_same_figures(evaluated, tmp_path, capsys):
    config, home = evaluated
    folder = home / "minus" / "base" / "seed-1"
    commands.evaluate_stored(config, folder, tmp_path)
    sampled = EvalResult.load(home / "minus" / "base" / "seed-1.json")
    stored = EvalResult.load(tmp_path / "minus" / "stored" / "seed-0.json")
    assert stored.problems == sampled.problems
    assert stored.summary() == sampled.summary()
    assert "minus" in capsys.readouterr().out


def test_completions_of_another_program_are_judged(make_words_config, tmp_path, capsys):
    said = {"test-0": ["so \\boxed{2}", "\\boxed{3}"], "test-2": ["four", "\\boxed{4}"]}
    lines = [{"id": id, "completion": one} for id, texts in said.items() for one in texts]
    file = tmp_path / "theirs.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (found,) = judge_completions(make_words_config(), file).values()
    assert [(one.id, one.correct, one.samples) for one in found.problems] == [
        ("test-0", 1, 2), ("test-2", 1, 2),
    ]  # fmt: skip
    assert "jsonl: 2 of 4 problems have completions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [{"id": "none", "completion": ""}],
            "completion of problem 'none': no suite has such a problem; there are 'jsonl'",
        ),
        ([{"id": "test-0", "completion": "", "suite": "x"}], "there is no suite 'x'; there are"),
        ([{"id": "test-0"}], "line 1 .*field 'completion' is missing"),
        (
            [{"id": i, "completion": ""} for i in ("test-0", "test-0", "test-1")],
            "problem 'test-1' has 1 completions and 'test-0' has 2",
        ),
    ],
)
def test_stored_completions_that_do_not_fit(make_words_config, tmp_path, lines, said):
    file = tmp_path / "theirs.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ResultError, match=said):
        judge_completions(make_words_config(), file)


def test_a_reward_of_tokens_cannot_judge_what_is_stored(make_words_config, tmp_path):
    config = make_words_config({"reward": ["math", {"use": "overlong", "cache": 2}]})
    with pytest.raises(ConfigError, match="'overlong' reads tokens"):
        judge_completions(config, tmp_path)


def test_of_a_mixture_its_sources_are_judged_as_suites(make_words_config, tmp_path):
    config = make_words_config({"eval": {"suites": [{"use": "mixture", "of": ["many_ways"]}]}})
    with pytest.raises(
        ConfigError, match=r"eval\.suites\.0: is a mixture: name its sources one by"
    ):
        judge_completions(config, tmp_path)


def copied(folder, name: str, *numbers: int):
    """A task that holds out some of the problems that the runs here are trained on."""
    rows = [{"id": f"other-{n}", "problem": f"{n} + 1?", "answer": str(n + 1)} for n in numbers]
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"use": "jsonl", "name": name, "train_file": str(file), "eval_file": str(file)}


@pytest.mark.slow
def test_of_suites_that_were_trained_on_the_table_has_the_clean_part(
    make_words_config, tmp_path, capsys
):
    changes = {
        "task": {"decontaminate": False},
        "eval": {"suites": [copied(tmp_path, "suite", 3, 7, 77)], "num_samples": 2},
        "train": {"steps": 1},
    }
    config, folder = make_words_config(changes), RunFolder(tmp_path / "run")
    train(config, folder, StopRequest())
    commands.evaluate_run(folder.path, config)
    assert "suite (clean, 1)" in " ".join(capsys.readouterr().out.split())
    assert "| suite (clean, 1) pass@1 |" in (folder.suites / "table.md").read_text()


def test_problems_of_suites_and_of_another_held_out_part_are_not_trained_on(
    make_words_config, byte_model, tmp_path
):
    named = functools.partial(copied, tmp_path)
    config = make_words_config(
        {"eval": {"held_out": named("held", 7), "suites": [named("suite", 3)]}}
    )
    task = setup.open_task(config, models.describe(byte_model))
    with contextlib.closing(task):
        assert task.held_out(9).ids == ["other-7"]
        trained = {id for step in range(5) for id in task.train_prompts(step, 2).ids}
    assert trained == {f"train-{n}" for n in range(12)} - {"train-3", "train-7"}


def test_a_task_that_judges_itself_has_no_other_held_out_part(make_config):
    config = make_config({"eval": {"held_out": "arithmetic"}})
    with pytest.raises(ConfigError, match=r"eval\.held_out: brackets judges by itself"):
        setup.open_task(config, None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suites": ["arithmetic", "arithmetic"]}, "eval.suites names 'arithmetic' twice"),
        ({"suites": ["arithmatic"]}, "eval.suites.0: there is no task 'arithmatic'"),
        ({"suites": ["arithmetic"], "ks": [1, 4]}, "eval.ks holds 4; known are 1 to"),
        ({"suites": ["arithmetic"], "exact": True}, "eval.suites are sampled"),
        ({"suites": [{"use": "arithmetic", "maximum": 3}]}, "eval.suites.0"),
        ({"sampling": "best"}, "eval.sampling"),
    ],
)
def test_suites_that_cannot_be(make_words_config, changes, said):
    with pytest.raises(ConfigError, match=said):
        make_words_config({"eval": changes})


def test_sampling_has_names(make_words_config):
    options = make_words_config({"eval": {"sampling": "paper"}}).eval
    assert options.drawn_at == (0.3, 0.95)


def test_a_suite_says_what_the_task_says_unless_it_says_it_itself(make_words_config):
    config = make_words_config(
        {"task": {"instruction": "Box it.", "prefix": "So"},
         "eval": {"suites": ["arithmetic", {"use": "arithmetic", "name": "b", "prefix": ""}]}}
    )  # fmt: skip
    first, second = (one.as_task(config.task) for one in config.eval.suites)
    assert (first.instruction, first.prefix) == ("Box it.", "So")
    assert (second.instruction, second.prefix) == ("Box it.", "")
