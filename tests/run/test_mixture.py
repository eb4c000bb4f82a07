"""Runs over a mixture: each source has figures of its own, and a resumed run is the same."""

import contextlib
import json

import pytest
from runs import StopAt, entries

from sage_jax import config as configs
from sage_jax import models, setup
from sage_jax.config import ConfigError
from sage_jax.data.mixed_task import MixedTask
from sage_jax.run import inputs
from sage_jax.run.inputs import of_evaluation
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import Stopped, StopRequest


@pytest.fixture(scope="module")
def rates(tmp_path_factory):
    path = tmp_path_factory.mktemp("rates") / "rates.jsonl"
    rows = [{"id": f"train-{i}", "base_pass_rate": i / 11, "samples": 11} for i in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def config(make_words_config, settings, rates):
    """A run over problems of files, and over sums that nothing but their length counts for."""
    files = {name: settings["task"][name] for name in ("train_file", "eval_file")}
    sums = {"use": "arithmetic", "max_operand": 15, "reward": {"use": "boxed", "weight": 2}}
    curriculum = {"use": "gaussian", "width": 0.3}
    words = {"use": "jsonl", "weight": 2, "rates_file": rates, "curriculum": curriculum, **files}
    of = [words, sums | {"name": "sums"}]
    shared = {"instruction": "", "num_workers": 1}
    return make_words_config(
        {"task": {"use": "mixture", "of": of, **shared}, "train": {"steps": 3}}
    )


@pytest.mark.slow
def test_a_run_that_was_cut_goes_on_with_the_same_prompts(config, tmp_path, assert_same_run):
    whole, cut = (RunFolder(tmp_path / name) for name in ("whole", "cut"))
    train(config, whole, StopRequest())
    with pytest.raises(Stopped):
        train(config, cut, StopAt(2))
    assert 0 < len(entries(cut)) < 3
    train(config, cut, StopRequest())
    assert_same_run(whole, cut, config)
    names = {name for line in entries(whole) for name in line}
    assert {"reward/jsonl", "pass@1/jsonl", "reward/sums", "reward/jsonl/math"} <= names
    assert "reward/sums/boxed" not in names  # It is all there is.


def test_all_that_stands_in_a_mixture_is_a_part_of_the_config(config, settings, rates):
    fields = [field for field, _, _ in config.parts]
    inside = ["task.of.0", "task.of.0.curriculum", "task.of.1", "task.of.1.reward.0"]
    assert fields[:5] == ["task", *inside]
    files = settings["task"]
    assert config.files == {
        "task.of.0.train_file": files["train_file"], "task.of.0.eval_file": files["eval_file"],
        "task.of.0.rates_file": rates,
    }  # fmt: skip
    # Neither what is trained on nor its rates are read.
    assert of_evaluation(config)[:-1] == ["task.of.0.eval_file"]
    own = configs.override(config, {"task": {"of": {"1": {"use": "my_tasks:sums"}}}})
    assert own.modules == ["my_tasks"]


def test_other_problems_of_any_source_are_refused(config, byte_model, tmp_path):
    folder, described = RunFolder(tmp_path / "run"), models.describe(byte_model)
    folder.write_config(config)
    with contextlib.closing(setup.open_task(config, described)) as task:
        assert isinstance(task, MixedTask)
        sources = [one.task.problems for one in task.sources]
        assert len(task.problems.train) == sum(len(one.train) for one in sources)
        assert len(task.problems.held_out) == sum(len(one.held_out) for one in sources)
        inputs.keep(config, folder, {}, inputs.refuse_other_problems(folder, task))
        inputs.refuse_other_problems(folder, task)
    other = configs.override(config, {"task": {"of": {"1": {"max_operand": 16}}}})
    with (
        contextlib.closing(setup.open_task(other, described)) as task,
        pytest.raises(inputs.InputError, match=r"problems to train on: .* problems then"),
    ):
        inputs.refuse_other_problems(folder, task)


def test_the_command_line_reaches_into_a_mixture(config):
    words = ["--task.of.0.weight", "3", "--task.of.1.reward.0.weight=0.5", "--train.steps", "4"]
    rest, changes = configs.part_arguments(words, config)
    assert rest == ["--train.steps", "4"]
    task = configs.override(config, changes).task
    first, second = task.options["of"]
    assert (first["weight"], first["use"]) == (3, "jsonl")
    assert (second["name"], second["reward"][0]["weight"]) == ("sums", 0.5)
    rest, changes = configs.part_arguments(["--task.of", "arithmetic", "{use: my:one}"], config)
    assert configs.override(config, changes).task.options["of"] == ["arithmetic", {"use": "my:one"}]


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (["arithmetic", "arithmetic"], "task.of.1: two sources are named 'arithmetic'"),
        ([{"use": "mixture", "of": ["arithmetic"]}], "task.of.0: a mixture of mixtures"),
        (["arithmatic"], "task.of.0: there is no task 'arithmatic'"),
        ([{"use": "arithmetic", "weight": -1}], "task.of.0.weight: Input should be greater than 0"),
        ([{"use": "arithmetic", "weight": "2"}], "task.of.0.weight: "),
        ([{"use": "arithmetic", "reward": ["math", "math"]}], "task.of.0.reward.1: two rewards"),
        ([{"use": "arithmetic", "reward": [{"use": "math"}, {"use": "boxed", "correct_from": 1}]}],
         "task.of.0.reward.1.correct_from: the first"),
        ([{"use": "arithmetic", "name": "a b"}], "task.of.0.name: "),
        ({"use": "arithmetic"}, "task.of: "),
    ],
)  # fmt: skip
def test_mixtures_that_cannot_be(make_words_config, of, message):
    task = {"use": "mixture", "of": of}
    with pytest.raises(ConfigError, match=message):
        make_words_config({"task": task})
