"""The command `entropies`: what it samples, prints and writes down."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from sage_jax import cli
from sage_jax.config import ConfigError
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import Sequences
from sage_jax.learn.shards import Shards
from sage_jax.run.entropies import entropies_of_run, keep_entropies, sampled_entropies
from sage_jax.run.run_folder import RunFolder


def test_of_a_run_it_prints_and_writes_what_its_reference_says(undisturbed, tmp_path, capsys):
    _, folder = undisturbed
    words = ["--problems", "12", "--out", str(tmp_path / "out")]
    cli.main(["entropies", str(folder.path), *words])
    printed = capsys.readouterr().out
    read = json.loads((tmp_path / "out" / "entropies.json").read_text())
    assert f"entropy of the reference at {read['tokens']} tokens of 12 completions" in printed
    assert "mean by position: " in printed
    assert (read["name"], read["problems"], read["model"]) == ("tiny", 12, str(folder.base))
    assert sum(read["histogram"]["shares"]) == pytest.approx(1.0)
    assert read["positions"][0]["tokens"] == 12
    assert sum(place["tokens"] for place in read["positions"]) == read["tokens"]
    if read["threshold"] is None:
        assert "no valley: forks and noise overlap" in printed
    else:
        assert f"guide: {{use: gated, threshold: {read['threshold']:.2f}}}" in printed
    with Image.open(tmp_path / "out" / "entropies.png") as picture:
        assert picture.width > 1000


def test_a_run_keeps_them_once_and_arms_those_of_their_folder(make_config, make_base, tmp_path):
    config = make_config({"train": {"entropies": 4}, "eval": {"batch_prompts": 4}})
    base, home = make_base(config), RunFolder(tmp_path / "home")
    keep_entropies(make_config(), base, home)
    assert not home.path.exists()
    keep_entropies(config, base, home)
    file = home.path / "entropies" / "entropies.json"
    assert json.loads(file.read_text())["problems"] == 4
    file.write_text("{}")
    keep_entropies(config, base, home)
    assert file.read_text() == "{}"
    home.share(config)
    keep_entropies(config, base, RunFolder(home.path / "arm"))
    assert not (home.path / "arm").exists()


def test_it_samples_the_model_itself_once_a_training_problem(make_config, make_base):
    config = make_config({"eval": {"batch_prompts": 4}})
    base = make_base(config)
    values, mask = sampled_entropies(config, base, problems=6)
    assert values.shape == mask.shape == (6, config.rollout.max_completion_length)
    again, _ = sampled_entropies(config, base, problems=6)
    np.testing.assert_array_equal(again, values)
    prompts = base.task.train_prompts(0, 4)
    # The first token's entropy is that of the model at the end of the prompt.
    sequences = Sequences(
        *map(jnp.asarray, (prompts.tokens, prompts.mask)),
        tokens=jnp.zeros((4, 1), jnp.int32),
        mask=jnp.ones((4, 1)),
    )
    each = Pass(config.rollout.temperature, 4, Shards.of(base.mesh, base.loaded.config.vocab_size))
    _, first = logprobs(base.loaded.graphdef, base.loaded.params, sequences, each=each)
    np.testing.assert_allclose(values[:4, :1], first, rtol=1e-5)


def test_a_mesh_changes_nothing_but_rounding(make_config, make_base):
    config = make_config({"eval": {"batch_prompts": 4}})
    found = [sampled_entropies(config, make_base(config, devices=n), problems=4) for n in (1, 4)]
    (one, mask), (four, other) = found
    np.testing.assert_array_equal(mask, other)
    np.testing.assert_allclose(one * mask, four * mask, rtol=1e-4, atol=1e-5)


def test_refused_with_a_message(undisturbed, make_config, tmp_path):
    config, folder = undisturbed
    with pytest.raises(ConfigError, match="--problems is 0; take 1 problem or more"):
        entropies_of_run(folder, config, tmp_path, problems=0)
    with pytest.raises(ConfigError, match="the warm-up is not done; `sage-jax train` goes on"):
        entropies_of_run(RunFolder(tmp_path / "new"), config, tmp_path, problems=1)
