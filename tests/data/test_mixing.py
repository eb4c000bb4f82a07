"""Which source each place of a mixture takes."""

import numpy as np
import pytest

from sage_jax.data.mixing import Mixing

WEIGHTS = [0.5, 2, 1e-3, 1]


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_what_came_before_is_what_was_taken(seed):
    mixing = Mixing.of(WEIGHTS, seed=seed)
    whole = mixing.sources(0, 3000)
    assert {*whole.tolist()} == {0, 1, 2, 3}
    for first in (0, 1, 2, 63, 1000, 2999):
        np.testing.assert_array_equal(mixing.sources(first, 1), whole[first : first + 1])
        assert mixing.before(first) == np.bincount(whole[:first], minlength=4).tolist()
    far = 10**12
    counts = np.bincount(mixing.sources(far, 500), minlength=4)
    added = zip(mixing.before(far + 500), mixing.before(far), strict=True)
    assert [after - before for after, before in added] == counts.tolist()


def test_every_stretch_has_nearly_its_shares():
    whole = Mixing.of([2, 1], seed=3).sources(0, 20_000)
    for size, most in ((48, 2), (480, 3)):
        counts = np.lib.stride_tricks.sliding_window_view(whole == 0, size).sum(axis=1)
        assert np.abs(counts - size * 2 / 3).max() <= most


def test_only_the_proportions_of_weights_count():
    one, two = (Mixing.of(weights, seed=5).sources(0, 99) for weights in ([3, 1], [0.75, 0.25]))
    np.testing.assert_array_equal(one, two)
    assert not Mixing.of([0.1], seed=5).sources(0, 99).any()


def test_seeds_begin_elsewhere():
    assert len({tuple(Mixing.of([1, 1], seed=s).sources(0, 30).tolist()) for s in range(20)}) > 10
