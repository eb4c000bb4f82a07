"""Chances of right completions: against every completion there is, sampling, and other meshes."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import models, setup
from sage_jax.config import ConfigError
from sage_jax.data.puzzle import Problems, Puzzle
from sage_jax.data.tasks import Enumerable
from sage_jax.data.token_task import PuzzleTask
from sage_jax.evaluate import EvalResult
from sage_jax.run.evaluation import Asked, evaluate_model

END, VOCABULARY = 3, 4


def draw(key, count, hold_out):
    prompts = jax.random.randint(key, (count, 3), 0, 3, jnp.int32)
    return Problems(prompts, jnp.full((count, 2), END, jnp.int32).at[:, 0].set(0))


def solve(prompts):
    """0 always is right, and 1 where the first number is not 0; 2 never is."""
    tokens = jnp.array([[0, END], [1, END], [2, END]], jnp.int32)
    right = jnp.stack([prompts[:, 0] >= 0, prompts[:, 0] > 0, prompts[:, 0] < 0], axis=1)
    return jnp.broadcast_to(tokens, (len(prompts), 3, 2)), right


TOY = Puzzle(
    name="toy",
    vocab_size=VOCABULARY,
    end=END,
    prompt_length=3,
    completion_length=2,
    modes=("zero", "one", "two"),
    choosing=(0,),
    draw=draw,
    demonstrate=lambda key, count: draw(key, count, False),
    solutions=solve,
    spell=lambda tokens: " ".join(map(str, tokens)),
)


def toy(*, seed: int) -> PuzzleTask:
    return PuzzleTask(TOY, seed=seed)


EXACT = {"task": {"use": f"{__name__}:toy"}, "eval": {"exact": True, "num_samples": 64}}


@pytest.fixture(scope="module")
def evaluated(make_config, make_base):
    """A function from changes of a config, and devices, to (base, result)."""

    def run(changes, *, devices=1) -> tuple[setup.Base, EvalResult]:
        config = make_config(changes)
        base = make_base(config, devices=devices)
        model = (base.loaded.graphdef, base.loaded.params)
        count = config.eval.num_samples
        return base, evaluate_model(config, base, model, Asked("t", 0, count))

    return run


@pytest.fixture(scope="module")
def exact(evaluated):
    return evaluated(EXACT)


def log_softmax(base, rows) -> np.ndarray:
    """Of whole rows of tokens, by the plain forward pass: [B, S, V]."""
    model = models.merge(base.loaded.graphdef, base.loaded.params)
    tokens = jnp.asarray(rows, jnp.int32)
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    logits = model.unembed(model(tokens, positions, jnp.ones_like(tokens, bool))[0])
    return np.asarray(jax.nn.log_softmax(logits.astype(jnp.float32)), np.float64)


def by_hand(base, count):
    """{completion: chance} of each held-out problem, over all completions of two tokens."""
    every = [*itertools.product(range(VOCABULARY), repeat=2)]
    prompts = base.task.held_out(count).tokens
    rows = [[*prompt, *one] for prompt in prompts for one in every]
    found = log_softmax(base, rows)[:, 2:4]
    pairs = zip(found, every * count, strict=True)
    logps = [row[0, one[0]] + row[1, one[1]] for row, one in pairs]
    chances = np.exp(logps).reshape(count, len(every))
    first = found.reshape(count, len(every), 2, VOCABULARY)[:, 0, 0]
    return prompts, [dict(zip(every, row, strict=True)) for row in chances], first


def test_chances_are_those_of_all_completions_that_are_right(exact):
    base, result = exact
    prompts, chances, first = by_hand(base, 16)
    np.testing.assert_allclose([sum(one.values()) for one in chances], 1, rtol=1e-5)
    for prompt, one, problem in zip(prompts, chances, result.problems, strict=True):
        expected = {"zero": one[0, END]} | ({"one": one[1, END]} if prompt[0] else {})
        assert problem.modes == pytest.approx(expected, rel=1e-4)
        assert problem.correct == pytest.approx(sum(expected.values()), rel=1e-4)
        assert (problem.samples, problem.answers) == (0, {})
    entropies = -(np.exp(first) * first).sum(axis=1)
    begun = np.exp(first)[:, :3].sum(axis=1).mean()
    ended = np.mean([one[0, END] + one[1, END] + one[2, END] for one in chances])
    np.testing.assert_allclose(result.tokens["right"], [begun, ended / begun], rtol=1e-4)
    np.testing.assert_allclose(result.tokens["entropy"][0], entropies.mean(), rtol=1e-4)


def test_sampling_comes_as_near_as_its_own_error_allows(exact, evaluated):
    _, sampled = evaluated(EXACT | {"eval": {"exact": False, "num_samples": 64}})
    result = exact[1]
    assert sampled.ids == result.ids
    chances, draws = np.array([one.correct for one in result.problems]), 64
    error = np.sqrt((chances * (1 - chances) / draws).sum()) / len(chances)
    assert error < 0.02
    assert 0.05 < chances.mean() < 0.95
    difference = sampled.pass_table([1]).mean() - result.pass_table([1]).mean()
    assert abs(difference) < 5 * error
    # pass@4 of samples has no more variance than the mean of 16 groups of four.
    four = result.pass_table([4])[:, 0]
    bound = 5 * np.sqrt((four * (1 - four) / (draws // 4)).sum()) / len(four)
    assert abs(sampled.pass_table([4]).mean() - four.mean()) < bound
    # Each mode is found by as many samples as its chance says.
    for mode in ("zero", "one"):
        one = np.array([p.modes.get(mode, 0.0) for p in result.problems])
        found = np.array([p.modes.get(mode, 0) for p in sampled.problems]) / draws
        assert abs(found.mean() - one.mean()) < 5 * np.sqrt((one * (1 - one) / draws).sum()) / 16


@pytest.mark.parametrize("mesh", [{"data": 2, "fsdp": 2, "tensor": 2}])
def test_a_mesh_changes_nothing(exact, evaluated, mesh):
    _, found = evaluated(EXACT | {"mesh": mesh}, devices=8)
    for one, other in zip(exact[1].problems, found.problems, strict=True):
        assert other.modes == pytest.approx(one.modes, rel=1e-4)
    np.testing.assert_allclose(found.tokens["entropy"], exact[1].tokens["entropy"], rtol=1e-4)


def test_copies_that_fill_the_last_batch_do_not_count(exact, evaluated):
    changes = EXACT | {"eval": {"exact": True, "num_problems": 13, "batch_prompts": 4}}
    _, found = evaluated(changes)
    assert len(found.problems) == 13
    for one, other in zip(exact[1].problems, found.problems, strict=False):
        assert other.modes == pytest.approx(one.modes, rel=1e-4)


def test_the_temperature_divides_the_logits(exact, evaluated):
    changes = EXACT | {"eval": {"exact": True, "temperature": 1e3}}
    _, found = evaluated(changes)
    np.testing.assert_allclose([one.modes["zero"] for one in found.problems], 1 / 16, rtol=0.05)
    assert found.temperature == 1e3


def test_programs_are_scored_by_each_of_their_tokens(evaluated):
    changes: Any = {"task": {"use": "programs", "programs": 2, "modulus": 5}}
    base, result = evaluated(changes | {"eval": {"exact": True, "num_problems": 4}})
    prompts = base.task.held_out(4)
    assert isinstance(base.task, Enumerable)
    known = base.task.right_answers(prompts)
    for n, problem in enumerate(result.problems):
        rows = [[*prompts.tokens[n], *tokens] for tokens in known.tokens[n]]
        found = log_softmax(base, rows)[:, 4:-1]
        logps = [
            sum(row[t, token] for t, token in enumerate(tokens))
            for row, tokens in zip(found, known.tokens[n], strict=True)
        ]
        expected = {
            mode: np.exp(logp)
            for mode, logp, right in zip(known.modes, logps, known.right[n], strict=True)
            if right
        }
        assert problem.modes == pytest.approx(expected, rel=1e-3)
    assert len(result.tokens["right"]) == 7


def test_what_cannot_be_computed_is_refused(make_config, make_words_config):
    words = make_words_config({"eval": {"exact": True}})
    with pytest.raises(ConfigError, match=r"eval\.exact: the task 'jsonl' cannot list its right"):
        setup.open_base(words, words.model.source)
    with pytest.raises(ConfigError, match=r"eval\.top_p is 0\.9, but with eval\.exact"):
        make_config({"eval": {"exact": True, "top_p": 0.9}})
