import numpy as np
import pytest

from sage_jax.losses import InertGuideWarning
from studies import targets

REVERSE = [
    ("exact", "none"),
    ("exact", "over the vocabulary"),
    ("k2", "of the token"),
    ("k1 in the reward", "over the vocabulary"),
]
FORWARD = [("k3 (SAGE's official)", "of the token"), ("forward, exact", "over the vocabulary")]


def weights(guide):
    return np.asarray(targets.GUIDES[guide][1], float)


@pytest.mark.parametrize(("estimator", "guide"), REVERSE)
def test_reverse_estimators_come_to_the_optimum_of_the_reverse_kl(estimator, guide):
    unnormalised = weights(guide) * np.asarray(targets.REFERENCE, float)
    unnormalised *= np.exp(np.asarray(targets.REWARDS, float) / targets.BETA)
    found = targets.find(estimator, guide)
    np.testing.assert_allclose(found.policy, unnormalised / unnormalised.sum(), atol=2e-5)
    assert found.from_reverse < 1e-4 < found.from_forward


@pytest.mark.parametrize(("estimator", "guide"), FORWARD)
def test_forward_pulls_leave_mass_off_the_target(estimator, guide):
    found = targets.find(estimator, guide)
    policy = np.asarray(found.policy, float)
    # beta q ref / pi = lambda - r, the same lambda for every answer.
    pull = targets.BETA * weights(guide) * np.asarray(targets.REFERENCE, float) / policy
    multiplier = pull + np.asarray(targets.REWARDS, float)
    np.testing.assert_allclose(multiplier, multiplier[0], rtol=1e-3)
    assert found.from_forward < 1e-4 < found.from_reverse


@pytest.mark.filterwarnings("ignore::sage_jax.losses.InertGuideWarning")
def test_a_guide_of_the_prefix_does_nothing_to_k2():
    plain, shifted = (targets.find("k2", g) for g in ("none", "of the prefix, q = 1.3"))
    np.testing.assert_allclose(plain.policy, shifted.policy, atol=1e-6)


def test_without_a_kl_the_reward_is_hacked():
    assert targets.find("no KL", "none").policy[targets.FOOL].sum() > 0.999
    with pytest.warns(InertGuideWarning):
        targets.find("k2", "of the prefix, q = 1.3")
