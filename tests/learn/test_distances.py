"""Distances over the vocabulary that are taken off the advantages, by hand from the logits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import sage_jax as sj
from sage_jax import models
from sage_jax.learn.sequences import completion_hidden, of_rollout

TOP, FLOOR, COEF = 3, 0.3, 2.0
LOSS = sj.recipes.sage(
    sj.guides.support_guide(top_k=TOP, floor=FLOOR), kl_coef=COEF, kl_in="advantage",
    divergence=sj.losses.reverse_kl(estimator="exact"), gates=[sj.losses.gates.wrong],
)  # fmt: skip
REWARDS = np.array([1.0, 0, 0, 1, 0, 0, 1, 0])


@pytest.fixture(scope="module")
def policy(byte_model):
    return sj.load(byte_model, mesh=sj.make_mesh(data=1))


def learner_of(policy, **options):
    made = sj.Learner(policy, loss=LOSS, optimizer=optax.sgd(0.1), **options)
    state = made.init(jax.random.key(0))
    # Away from the reference, so that there is a distance.
    return made, dataclasses.replace(state, trained=jax.tree.map(lambda x: 3.0 * x, state.trained))


def advantages_seen(policy, rollout, **options):
    seen = []

    def spy(terms, *, step, key):
        assert terms.distances is None
        jax.debug.callback(lambda *x: seen.append(x), terms.rows, terms.advantages)
        return LOSS(terms, step=step, key=key)

    learner, state = learner_of(policy, advantages=sj.advantages.none, **options)
    spied = dataclasses.replace(learner, loss=dataclasses.replace(LOSS, function=spy))
    jax.block_until_ready(spied.update(state, rollout, REWARDS, step=0))
    jax.effects_barrier()
    rows, found = (np.concatenate([*part]) for part in zip(*seen, strict=True))
    return found[np.argsort(rows)]


def test_they_are_what_the_logits_say_whatever_the_micro_batches(policy):
    learner, state = learner_of(policy)
    decoding = sj.Decoding(group_size=4, max_completion_length=4, stop_ids=())
    rollout = learner.sample(state, policy.encode(["?", "!"]), decoding, key=sj.key(0, 1))
    modules = policy.modules
    pairs = (
        (modules.graphdef, modules.params(state.trained, learner.frozen)),
        (modules.reference_graphdef, learner.frozen),
    )
    log_probs, reference = (
        np.asarray(jax.nn.log_softmax(model.unembed(completion_hidden(model, of_rollout(rollout)))))
        for model in (models.merge(*pair) for pair in pairs)
    )
    inside = reference >= np.sort(reference, axis=-1)[..., -TOP, None]
    shaped = np.where(inside, 1.0, FLOOR) * np.exp(reference)
    anchor = np.log(shaped / shaped.sum(axis=-1, keepdims=True))
    away = np.sum(np.exp(log_probs) * (log_probs - anchor), axis=-1) * (REWARDS == 0)[:, None]
    mask = np.asarray(rollout.mask)
    rows = ((away * mask).sum(axis=1) / mask.sum(axis=1)).reshape(2, 4)
    groups = REWARDS.reshape(2, 4) - REWARDS.reshape(2, 4).mean(axis=1, keepdims=True)
    groups = groups / np.abs(groups).max(axis=1, keepdims=True)
    expected = groups - COEF * (rows - rows.mean(axis=1, keepdims=True))
    assert np.abs(expected - groups).max() > 0.05
    for options in ({}, {"micro_batch": 2}, {"micro_batch": 2, "num_minibatches": 2}):
        found = advantages_seen(policy, rollout, **options)
        np.testing.assert_allclose(found, expected.ravel(), atol=2e-5, err_msg=str(options))


def test_logits_of_one_micro_batch_are_there_at_a_time(policy):
    """No array of the whole step has as many numbers as the logits of the batch."""
    learner, state = learner_of(policy, micro_batch=2)
    prompts, decoding = policy.encode(["?", "!"]), sj.Decoding(4, 4, stop_ids=())
    rollout = learner.sample(state, prompts, decoding, key=sj.key(0, 1))
    terms = learner.logprobs(state.trained, learner.frozen, rollout)
    terms = dataclasses.replace(terms, rewards=jnp.asarray(REWARDS, jnp.float32))
    traced = jax.make_jaxpr(learner.learn)(
        state, learner.frozen, rollout, terms, jax.random.key(0), jnp.int32(0)
    )
    vocab = policy.loaded.config.vocab_size
    assert f"f32[2,4,{vocab}]" in str(traced)
    assert f"f32[8,4,{vocab}]" not in str(traced)
