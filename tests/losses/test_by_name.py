"""Functions of arrays of one's own as blocks of a loss: what they get, give, need and declare."""

import dataclasses
import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import (
    InertGuideWarning,
    Mean,
    by_name,
    clipped_surrogate,
    depends_on,
    guides,
    importance,
    kl,
    moved_by,
    objective,
    policy,
    recipes,
    reduce,
    reshape,
    reverse_kl,
    surrogates,
)

pytestmark = pytest.mark.usefixtures("x64")
GRPO = by_name.reduction(reduce.grpo)


@pytest.fixture
def batch(make_arrays, make_terms):
    arrays = make_arrays(31)
    return make_terms(jnp.asarray(arrays["logits"]), arrays)


LEVELS: tuple[tuple[importance.Level, int], ...] = (("token", 7), ("sequence", 1))


def clip_by_hand(logps, old_logps, advantages, *, eps):
    ratios = jnp.exp(logps - old_logps)
    return -jnp.minimum(ratios * advantages, jnp.clip(ratios, 1 - eps, 1 + eps) * advantages)


def test_a_surrogate_of_arrays_is_worth_one_of_ours(batch):
    ours = clipped_surrogate(eps_low=0.1, eps_high=0.1)
    theirs = by_name.surrogate(clip_by_hand, eps=0.1)
    for terms in (batch, dataclasses.replace(batch, old_logps=None)):
        whole = [objective(loss, GRPO)(terms, step=0, key=None) for loss in (ours, theirs)]
        np.testing.assert_allclose(whole[1][0].sum, whole[0][0].sum, rtol=1e-12)
        assert whole[1][1]["ratio/max"] == whole[0][1]["ratio/max"]
    by_token = jnp.broadcast_to(batch.advantages[:, None], batch.logps.shape)
    found, _ = theirs(dataclasses.replace(batch, advantages=by_token), step=0, key=None)
    np.testing.assert_array_equal(found, theirs(batch, step=0, key=None)[0])


def test_a_surrogate_gets_ratios_of_its_level_and_reports_shares(batch):
    def own(ratios, advantages, mask, step):
        del mask
        return -ratios * advantages + step, {"high": ratios > 1}

    for level, width in LEVELS:
        token_loss = policy.top_entropy(by_name.surrogate(own, level=level), 0.3)
        losses, metrics = token_loss(batch, step=2, key=None)
        logs = importance.log_ratios(batch.logps, batch.old_logps, batch.mask, level=level)
        assert logs.shape == (len(batch.mask), width)
        expected = jnp.broadcast_to(2 - jnp.exp(logs) * batch.advantages[:, None], losses.shape)
        kept = np.asarray(losses) != 0
        np.testing.assert_array_equal(np.asarray(losses)[kept], np.asarray(expected)[kept])
        assert 0.1 < kept.sum() / np.asarray(batch.mask).sum() < 0.5
        counts = batch.mask > 0 if width > 1 else np.ones_like(logs, bool)
        share = np.asarray(logs > 0)[counts].mean()
        np.testing.assert_allclose(metrics["high"].value(), share)


def test_an_estimator_of_arrays_is_worth_one_of_ours(batch):
    def mine(logps, anchor_logps):
        return jnp.square(logps - anchor_logps) / 2

    def whole(logits, vocab_log_q, ref_logits):
        return kl.exact(logits, ref_logits, vocab_log_q, renormalize=False)

    guide = guides.branch_guide(threshold=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InertGuideWarning)
        for own, ours in (
            (mine, reverse_kl(estimator="k2")),
            (whole, reverse_kl(estimator="exact", renormalize=False)),
        ):
            pair = by_name.estimator(own), ours
            losses = [objective(loss, GRPO, transform=reshape(guide)) for loss in pair]
            found, expected = (loss(batch, step=0, key=None)[1]["kl"].value() for loss in losses)
            np.testing.assert_allclose(found, expected, rtol=1e-12)
            plain = objective(pair[0], GRPO)(batch, step=0, key=None)[1]["kl"].value()
            assert abs(plain - found) > 1e-4


def test_a_reduction_of_arrays_gets_what_it_asks_for(batch):
    def weighted(losses, mask, tokens_per_row, *, power):
        total = jnp.where(mask, losses, 0).sum() * power
        return Mean(total, tokens_per_row.sum().astype(losses.dtype))

    batch = dataclasses.replace(batch, tokens_per_row=jnp.full(len(batch.mask), 3.0))
    mean, _ = objective(reverse_kl(), by_name.reduction(weighted, power=2.0))(
        batch, step=0, key=None
    )
    plain, _ = objective(reverse_kl(), by_name.reduction(reduce.bnpo))(batch, step=0, key=None)
    np.testing.assert_allclose(mean.sum, 2 * plain.sum, rtol=1e-12)
    assert mean.count == 3 * len(batch.mask)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: by_name.surrogate(lambda ratios: ratios.sum()), r"<lambda> gives shape \(\)"),
        (
            lambda: by_name.surrogate(lambda logps: (logps, {"odd": logps.sum()})),
            r"<lambda>, metric odd, gives shape \(\); it must be \[B, T\] = \(8, 7\) or \[B, 1\]",
        ),
        (
            lambda: by_name.estimator(lambda logps: logps[:, :1]),
            r"the estimator <lambda> gives shape \(8, 1\); it must be \[B, T\] = \(8, 7\)$",
        ),
        (
            lambda: reverse_kl() + by_name.surrogate(functools.partial(clip_by_hand, eps=0.1)),
            "terms.advantages is None; the surrogate clip_by_hand needs it",
        ),
    ],
)
def test_what_does_not_fit_is_named(batch, make, message):
    with pytest.raises(ValueError, match=message):
        make()(dataclasses.replace(batch, advantages=None), step=0, key=None)


@pytest.mark.parametrize("give", [lambda losses: losses, lambda losses: Mean(losses, jnp.ones(()))])
def test_a_reduction_that_gives_no_mean_is_named(batch, give):
    with pytest.raises(ValueError, match=r"the reduction <lambda> gives .*; it must be a losses"):
        by_name.reduction(give)(batch.logps, batch)


def test_what_a_loss_needs_is_read_off_its_parts():
    def needs(loss):
        return loss.reference, loss.full_vocabulary, loss.old_logps

    def peaked(logits, mask):
        return 0.1 * logits.max(-1) * mask

    branch, surrogate = guides.branch_guide(), clipped_surrogate()
    assert needs(recipes.dapo()) == (False, False, False)
    assert needs(recipes.sage(branch)) == (True, False, False)
    exact = reverse_kl(estimator="exact")
    assert needs(recipes.sage(None, divergence=exact)) == (True, True, False)
    assert needs(recipes.sage(None, divergence=exact, kl_coef=0.0)) == (False, False, False)
    assert needs(recipes.sage(by_name.guide(peaked))) == (True, True, False)
    corrected = importance.corrected(surrogate)
    assert needs(recipes.sage(None, surrogate=corrected, kl_coef=0.0)) == (False, False, True)
    top = clipped_surrogate(top_entropy_quantile=0.5)
    assert needs(objective(top, GRPO)) == (False, False, True)
    held = by_name.surrogate(lambda ratios, ref_logps: ratios * ref_logps)
    assert needs(objective(0.5 * held, GRPO)) == (True, False, False)
    assert by_name.surrogate(lambda ratios, ref_logps=None: ratios).needs == frozenset()


def test_what_is_declared_decides_what_is_warned_of(batch):
    def spread(logits, mask):
        return 0.1 * jnp.std(logits, axis=-1) * mask

    def own(logps, anchor_logps):
        return kl.k2(logps, anchor_logps)

    def warned(function, estimator):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recipes.sage(by_name.guide(function), divergence=by_name.estimator(estimator))
        return [one.category for one in caught] == [InertGuideWarning]

    def entropic(entropies):
        return -0.1 * entropies

    assert by_name.guide(spread).depends_on == "vocabulary"
    assert not warned(spread, kl.exact)
    declared = depends_on("prefix")(spread)
    assert declared is spread
    assert by_name.guide(functools.partial(spread)).depends_on == "prefix"
    assert warned(spread, kl.exact)
    assert not warned(entropic, own)
    moved_by("token", "vocabulary")(own)
    assert warned(entropic, own)
    assert not warned(entropic, kl.forward_exact)
    assert warned(entropic, functools.partial(kl.forward_exact, renormalize=True))


def test_a_default_counts_as_what_an_option_is():
    def divided(logits, ref_logits, vocab_log_q=None, *, renormalize=True):
        return kl.forward_exact(logits, ref_logits, vocab_log_q, renormalize=renormalize)

    bound = functools.partial(divided, renormalize=False)
    for function, options, expected in [
        (kl.exact, {}, True),
        (kl.forward_exact, {}, False),
        (kl.exact, {"renormalize": False}, False),
        (divided, {}, True),
        (bound, {}, False),
        (bound, {"renormalize": True}, True),
    ]:
        (use,) = by_name.estimator(function, **options).anchor_uses
        assert use.renormalized == expected
        assert use.moved_by <= {"vocabulary"} or not expected


def test_a_guide_may_act_through_the_surrogate_alone():
    held = by_name.surrogate(lambda ratios, advantages, log_q: -ratios * advantages * log_q)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipes.sage(guides.branch_guide(), surrogate=held, kl_coef=0.0)


def test_arrays_that_are_not_there_take_a_default_or_no_guide(batch):
    def own(logps, log_q, vocab_log_q, ref_entropies=None):
        assert ref_entropies is None
        return logps + log_q + vocab_log_q[..., 0]

    bare = dataclasses.replace(batch, ref_entropies=None)
    found, _ = by_name.estimator(own)(bare, step=0, key=None)
    np.testing.assert_array_equal(found, batch.logps)
    given = jnp.full(batch.logps.shape, 0.25)
    found, _ = by_name.estimator(own)(dataclasses.replace(bare, log_q=given), step=0, key=None)
    np.testing.assert_allclose(found, batch.logps + 0.5)


def test_the_clip_is_a_function_of_arrays_alone(batch):
    ratios = jnp.exp(batch.logps - batch.old_logps)
    losses, shares = jax.jit(surrogates.clipped)(ratios, batch.advantages[:, None])
    by_hand = clip_by_hand(batch.logps, batch.old_logps, batch.advantages[:, None], eps=0.2)
    np.testing.assert_allclose(losses, by_hand, rtol=1e-12)
    assert shares.keys() == {"clip/low", "clip/high", "clip/region"}


def fading(mask, step, *, strength=0.1):
    return strength * mask.astype(float) / (1.0 + step)


def sloped(entropies, *, slope):
    return slope * entropies


def test_a_function_of_arrays_is_a_guide_wherever_one_is_taken(batch):
    found = [
        recipes.sage(guide)(batch, step=1.0, key=None)[1]["q/max"].value()
        for guide in (fading, by_name.guide(fading), by_name.guide(fading, strength=0.1))
    ]
    np.testing.assert_allclose(found, np.exp(0.05), rtol=1e-6)
    with pytest.warns(InertGuideWarning, match="fading"):
        recipes.sage(fading, kl_coef=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: by_name.guide(fading, strenth=1),
            r"the guide fading has no option strenth \(perhaps strength\?\); it takes strength",
        ),
        (lambda: by_name.guide(fading, step=1), "fading: step is given by the trainer"),
        (lambda: recipes.sage(sloped), "the guide sloped needs a value for slope: it is an option"),
        (lambda: by_name.estimator(kl.k3, eps=1), "k3 has no option eps; it takes none"),
        (lambda: by_name.surrogate(surrogates.clipped, eps=1), "clipped has no option eps"),
        (lambda: by_name.reduction(reduce.dr_grpo), "needs a value for max_completion_length"),
        (
            lambda: recipes.sage("branch"),  # pyright: ignore
            "guide is 'branch'; it must be a losses.Guide",
        ),
        (
            lambda: reshape(guides.branch_guide),  # pyright: ignore
            "guide is branch_guide; it must be",
        ),
    ],
)
def test_options_and_guides_that_there_are_not_are_refused_when_composed(make, message):
    with pytest.raises(ValueError, match=message):
        make()
