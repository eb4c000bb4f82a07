"""Tiny models on the bracket puzzle and on problems in words, and what training them needs."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import entries

from sage_jax import config as configs
from sage_jax import models, setup, yaml_text
from sage_jax.evaluate import EvalResult
from sage_jax.learn.placement import place
from sage_jax.run import commands
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import StopRequest

TINY = yaml_text.read((Path(__file__).parents[1] / "tiny.yaml").read_text())


@pytest.fixture(scope="session")
def make_config():
    """A function from changes to a config."""
    return lambda changes=None: configs.parse(configs.merge(TINY, changes or {}))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, make_config):
    """A run from warm-up to final evaluation that nothing interrupted: (config, folder)."""
    config = make_config()
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "tiny")
    train(config, folder, StopRequest())
    return config, folder


@pytest.fixture(scope="session")
def assert_same_run():
    """A function that holds two folders of one config to be equal in all but what clocks say."""

    def check(left, right, config):
        assert entries(left) == entries(right)
        pair = [commands.load_trained(folder.path, config) for folder in (left, right)]
        assert pair[0].step == pair[1].step == config.train.steps
        jax.tree.map(np.testing.assert_array_equal, *(one.state for one in pair))
        for tag in ("base", "final"):
            ends = [EvalResult.load(folder.eval_file(tag)) for folder in (left, right)]
            assert ends[0] == ends[1]

    return check


@pytest.fixture(scope="session")
def make_base(make_config):
    """A function from a config to a random model and its task, without a warm-up."""

    def make(config, *, devices=1):
        mesh = setup.open_mesh(config, jax.devices()[:devices])
        task = setup.open_task(config, None)
        shape = setup.random_model(config, task)
        options = setup.model_options(config, mesh)
        graphdef, params = models.init(shape, jax.random.key(0), **options)
        # Larger weights than an initialiser's, so that policies and gradients are far from flat.
        params = jax.tree.map(lambda x: x * jnp.asarray(3, x.dtype), params)
        return setup.Base(models.Loaded(graphdef, place(mesh, params), shape, None), task, mesh)

    return make


@pytest.fixture(scope="session")
def problems(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, count, more in (("train", 12, 1), ("test", 4, 2)):
        rows = [
            {
                "id": f"{name}-{i}",
                "problem": f"{i} + {more}?",
                "answer": str(i + more),
                "solution": f"\\boxed{{{i + more}}}",
                "source": "sums",
            }
            for i in range(count)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def settings(byte_model, problems):
    """A run over problems from files."""
    return {
        "name": "words",
        "model": {"source": str(byte_model)},
        "task": {
            "use": "jsonl",
            "train_file": str(problems / "train.jsonl"),
            "eval_file": str(problems / "test.jsonl"),
            "instruction": "",
            "num_workers": 1,
        },
        "reward": [{"use": "math", "weight": 0.5}, {"use": "boxed", "weight": 0.5}],
        "rollout": {
            "num_prompts": 2,
            "group_size": 4,
            "max_prompt_length": 32,
            "max_completion_length": 8,
        },
        "optimizer": {"learning_rate": 1e-2, "num_minibatches": 2},
        "lora": {"rank": 2},
        "train": {"steps": 2, "sample_every": 1},
        "eval": {"num_problems": 4, "num_samples": 2, "num_samples_during": 2, "batch_prompts": 4},
        "mesh": {"data": 1},
    }


@pytest.fixture(scope="session")
def make_words_config(settings):
    """A function from changes to the config of a run over problems in words."""
    return lambda changes=None: configs.parse(configs.merge(settings, changes or {}))


@pytest.fixture(scope="session")
def adapted(tmp_path_factory, make_words_config):
    """A finished run that trained adapters on problems in words: (config, folder)."""
    config = make_words_config()
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "words")
    train(config, folder, StopRequest())
    return config, folder
