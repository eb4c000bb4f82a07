"""Updates through a whole learner: what a loss is handed."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import sage_jax as sj
from sage_jax.losses.compose import Guide

TOKEN = 7


def favours(terms: Any, *, step: Any, key: Any) -> jax.Array:
    """q is 2 for one token of the vocabulary and 1 for all others."""
    return jnp.log(2.0) * jax.nn.one_hot(jnp.full(terms.logps.shape, TOKEN), terms.logits.shape[-1])


@pytest.fixture(scope="module")
def learner(byte_model):
    policy = sj.load(byte_model, mesh=sj.make_mesh(data=1))
    loss = sj.recipes.sage(
        Guide(favours, "favours", "vocabulary"),
        kl_coef=1.0,
        divergence=sj.kl.reverse_kl(estimator="exact"),
    )
    return sj.Learner(policy, loss=loss, optimizer=optax.sgd(1.0), full_vocabulary=True)


def test_a_guide_over_the_vocabulary_acts_under_the_exact_estimator(learner):
    """With equal rewards only the anchor moves the policy: towards the token that q favours."""
    state = learner.init(jax.random.key(0))
    decoding = sj.Decoding(group_size=4, max_completion_length=4, stop_ids=())
    rollout = learner.sample(state, learner.policy.encode(["?"]), decoding, key=sj.key(0, 0))
    favoured = dataclasses.replace(rollout, tokens=jnp.full_like(rollout.tokens, TOKEN))
    before = logps(learner, state, favoured)
    state, metrics = learner.update(state, rollout, np.zeros(4), step=0)
    assert metrics["updates/changed"].value() > 0
    assert metrics["q/mean"].value() >= 1
    assert logps(learner, state, favoured) > before


def logps(learner, state, rollout) -> float:
    """Mean log-probability of a rollout's first tokens."""
    scored = dataclasses.replace(learner, old_logps=True)
    terms = scored.logprobs(state.trained, learner.frozen, rollout)
    return float(terms.old_logps[:, 0].mean())
