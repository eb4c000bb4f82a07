"""The command `rate`: what it writes, what it keeps, and what it does not look at."""

import json

import pytest

from sage_jax import cli
from sage_jax import config as configs
from sage_jax.config import ConfigError
from sage_jax.run import evaluation, rating


@pytest.fixture(scope="module")
def rated(make_words_config, tmp_path_factory):
    """A config of a curriculum that has no rates yet, and the file of rates: (config, out)."""
    changes = {"task": {"curriculum": "solvable"}, "reward": [{"use": "boxed"}]}
    config, out = make_words_config(changes), tmp_path_factory.mktemp("rated") / "rates.jsonl"
    rating.rate_config(config, out, samples=2)
    return config, out


def test_every_training_problem_is_rated(rated):
    _, out = rated
    rows = [*map(json.loads, out.read_text().splitlines())]
    assert [row["id"] for row in rows] == [f"train-{i}" for i in range(12)]
    assert {row["samples"] for row in rows} == {2}
    assert {row["base_pass_rate"] for row in rows} <= {0, 0.5, 1}
    assert [path.name for path in sorted(out.with_suffix("").iterdir())] == [
        *(f"part-0000{place}.jsonl.gz" for place in range(3)),
        "plan.json",
    ]


def test_what_is_kept_is_not_sampled_again(rated, tmp_path, monkeypatch, capsys):
    config, out = rated
    before = {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()}
    out.unlink()
    monkeypatch.setattr(evaluation.setup, "sampler", lambda policy, decoding: None)
    # What is made of rates changes none of them.
    other = {"task": {"curriculum": None, "rates_file": str(out)}, "eval": {"num_samples": 4}}
    file = tmp_path / "config.yaml"
    file.write_text(configs.dump(configs.override(config, other)))
    cli.main(["rate", str(file), "--samples", "2", "--out", str(out)])
    assert before == {path: path.read_bytes() for path in out.parent.rglob("*") if path.is_file()}
    printed = capsys.readouterr().out
    assert "12 training problems, mean rate" in printed
    assert f"wrote {out}" in printed


@pytest.mark.parametrize(
    ("changes", "samples", "name", "message"),
    [
        (
            {"warmup": {"steps": 3}},
            1,
            "x.jsonl",
            "makes its model by a warm-up: train it, then name the run",
        ),
        ({}, 0, "x.jsonl", "--samples is 0; take 1 completion"),
        ({}, 1, "x", "--out .*x: name a file with an ending, as rates.jsonl"),
    ],
)
def test_refused(make_words_config, tmp_path, changes, samples, name, message):
    with pytest.raises(ConfigError, match=message):
        rating.rate_config(make_words_config(changes), tmp_path / name, samples=samples)


def test_a_puzzle_cannot_be_rated(undisturbed, tmp_path):
    config, folder = undisturbed
    with pytest.raises(ConfigError, match="task: brackets draws its problems anew"):
        rating.rate_run(folder, config, tmp_path / "rates.jsonl", samples=1)
