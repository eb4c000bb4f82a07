"""Figures of tokens are those that the loss gets, whatever the update is made of."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import sage_jax as sj

DECODING = sj.Decoding(group_size=4, max_completion_length=4, stop_ids=())
REWARDS = np.array([1.0, 0, 0, 1, 0, 0, 1, 0])
NOISY = functools.partial(sj.guides.random_guide, epsilon=0.9, sigma=0.3)


@pytest.fixture(scope="module")
def policy(byte_model):
    return sj.load(byte_model, mesh=sj.make_mesh(data=1), lora=sj.LoRA(rank=2))


assert_close: Any = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)


def spied(loss, seen):
    """The loss, which tells what it is called with, in the order of the rows."""

    def told(terms, *, step, key):
        log_q = loss.log_q(terms, step=step, key=key)
        jax.debug.callback(
            lambda *x: seen.append(x), terms.rows, terms.logps, terms.entropies, log_q
        )
        return loss(terms, step=step, key=key)

    return dataclasses.replace(loss, function=told)


@pytest.mark.parametrize(
    ("guide", "options"),
    [
        (NOISY(), {"num_minibatches": 2, "micro_batch": 2}),
        (sj.guides.support_guide(top_k=3, floor=0.3), {"micro_batch": 4}),
    ],
    ids=["noise", "vocabulary"],
)
def test_they_are_what_the_loss_sees(policy, guide, options):
    seen = []
    estimator = "exact" if guide.depends_on == "vocabulary" else "k3"
    kl = sj.losses.reverse_kl(estimator=estimator)
    loss = spied(sj.recipes.sage(guide, kl_coef=0.1, divergence=kl), seen)
    # Updates that change nothing, so that the second one sees what the first one saw.
    learner = sj.Learner(policy, loss=loss, optimizer=optax.sgd(0.0), packing=False, **options)
    state = learner.init(jax.random.key(0))
    rollout = learner.sample(state, policy.encode(["?", "!"]), DECODING, key=sj.key(0, 1))
    ready = learner.prepare(rollout)
    terms = learner.terms(state, ready)
    key = jax.random.key(5)
    figures = learner.figures(state, ready, terms, REWARDS, step=3, key=key)
    jax.block_until_ready(learner.apply(state, ready, terms, REWARDS, step=3, key=key))
    jax.effects_barrier()
    rows, *found = (np.concatenate([*part]) for part in zip(*seen, strict=True))
    logps, entropies, log_q = (part[np.argsort(rows)] for part in found)
    assert (log_q != 0).any()
    assert_close(figures.log_q, log_q)
    assert_close(figures.logps, logps)
    assert_close(figures.entropies, entropies)
    assert_close(figures.ref_logps, terms.ref_logps)
    advantages = sj.advantages.group(jnp.asarray(REWARDS, jnp.float32), group_size=4)
    assert_close(figures.advantages, np.tile(advantages[:, None], 4))


def test_without_an_anchor_adapters_still_leave_the_reference_at_hand(policy):
    learner = sj.Learner(policy, loss=sj.recipes.grpo(), optimizer=optax.sgd(0.1))
    state = learner.init(jax.random.key(0))
    rollout = learner.sample(state, policy.encode(["?"]), DECODING, key=sj.key(0, 1))
    ready = learner.prepare(rollout)
    figures = learner.figures(state, ready, learner.terms(state, ready), REWARDS[:4], step=0)
    assert figures.log_q is None
    # Adapters are zero before the first update.
    assert_close(figures.ref_logps, figures.logps)
