"""Thresholds between forks and noise: planted mixtures are parted, and one lump is not."""

import json

import numpy as np
import pytest

from sage_jax.evaluate.branching import Branching
from sage_jax.evaluate.entropies import bins, by_position, density, propose
from sage_jax.evaluate.report.entropy_plot import plot_entropies
from sage_jax.evaluate.report.theme import png


def planted(rng, *modes):
    """Entropies of (mean, spread, number) each, none below 0."""
    return np.abs(np.concatenate([rng.normal(mean, std, n) for mean, std, n in modes]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("modes", "between", "share"),
    [
        ([(0.8, 0.1, 1280), (1.9, 0.02, 256)], (1.1, 1.75), 256 / 1536),
        ([(0.0, 0.01, 256), (0.8, 0.1, 1280), (1.9, 0.05, 256)], (1.1, 1.75), 256 / 1792),
        ([(0.5, 0.15, 300), (1.6, 0.2, 300)], (0.8, 1.2), 0.5),
        ([(0.0, 0.05, 9000), (2.5, 0.3, 400)], (0.3, 1.7), 400 / 9400),
    ],
    ids=["forks and noise", "certain too", "as many", "few forks"],
)
def test_planted_modes_are_parted(modes, between, share, seed):
    found = propose(planted(np.random.default_rng(seed), *modes))
    assert found.valley is not None
    assert between[0] < found.valley.threshold < between[1]
    assert found.valley.share == pytest.approx(share, abs=0.01)
    assert found.valley.depth > 0.8
    for mode, (mean, _, _) in zip(found.valley.modes, modes[-2:], strict=True):
        assert mode == pytest.approx(mean, abs=0.3)
    assert found.told().startswith(f"threshold {found.valley.threshold:.2f} nats, in a valley ")


@pytest.mark.parametrize("number", [50, 400, 4000])
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.exponential(0.6, n),
        lambda rng, n: rng.uniform(0.0, 3.0, n),
        lambda rng, n: np.abs(rng.normal(2.0, 0.3, n)),
        lambda rng, n: np.concatenate([rng.exponential(0.02, n), rng.gamma(1.2, 0.8, n // 3)]),
        lambda rng, n: planted(rng, (1.0, 0.4, n), (1.9, 0.4, n // 2)),
        lambda rng, n: planted(rng, (1.0, 0.1, n), (2.5, 0.1, n // 200)),
        lambda rng, n: np.full(n, 1.3),
        lambda rng, n: np.zeros(n),
    ],
    ids=["exponential", "uniform", "one mode", "as in text", "overlap", "a stray", "one", "none"],
)
def test_where_there_is_no_gap_it_says_so(draw, number):
    for seed in range(5):
        entropies = draw(np.random.default_rng(seed), number)
        found = propose(entropies)
        assert found.valley is None
        assert found.told().startswith("no valley: forks and noise overlap")
        assert found.shares[0.2] == np.quantile(entropies, 0.8)


def test_a_shallow_valley_is_called_so():
    found = propose(planted(np.random.default_rng(0), (1.0, 0.25, 6000), (2.0, 0.25, 4000)))
    assert found.valley is not None
    assert 0.3 < found.valley.depth < 0.8
    assert "in a shallow valley between modes at" in found.told()


def test_density_is_that_of_a_kernel_mirrored_at_zero():
    values = np.random.default_rng(3).exponential(0.5, 300)
    grid, heights, width = density(values)
    assert width == pytest.approx(0.9 * values.std() * 300**-0.2)
    kernel = np.exp(-0.5 * ((grid[:, None] - np.concatenate([values, -values])) / width) ** 2)
    expected = kernel.sum(axis=1) / (300 * width * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(heights, expected, atol=0.01 * expected.max())


def test_bins_hold_every_token_once():
    rng = np.random.default_rng(4)
    for top in (1e-9, 0.03, 0.9999, 1.0, 3.7, 11.0):
        values = np.concatenate([rng.uniform(0, top, 500), [0.0, top]])
        edges, shares = bins(values)
        assert len(edges) == len(shares) + 1 <= 26
        assert edges[0] == 0.0
        assert edges[-1] >= top
        assert shares.sum() == pytest.approx(1.0)
        assert shares[-1] > 0


def test_positions_are_averaged_over_those_that_reach_them():
    entropies = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan]])
    assert by_position(entropies, np.array([[1, 1, 0], [1, 0, 0]])) == [(2.0, 2), (2.0, 1)]


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf], [-0.5, 1.0]], ids=str)
def test_what_are_no_entropies_is_refused(values):
    with pytest.raises(ValueError, match=r"entropies: .*; finite numbers of 0 or more are needed"):
        propose(np.array(values))


def test_the_proposal_is_json():
    found = propose(planted(np.random.default_rng(0), (0.8, 0.1, 500), (1.9, 0.1, 100)))
    assert found.valley is not None
    read = json.loads(json.dumps(found.as_json()))
    assert read["threshold"] == read["valley"]["threshold"] == found.valley.threshold
    assert read["shares"]["0.2"] == found.shares[0.2]
    assert propose(np.ones(10)).as_json()["threshold"] is None


@pytest.mark.parametrize("forks", [100, 0], ids=["forks", "no forks"])
def test_the_picture_shows_the_threshold_where_there_is_one(forks):
    entropies = planted(np.random.default_rng(0), (0.8, 0.1, 500), (1.9, 0.1, forks))
    found = propose(entropies)
    positions = [(1.9, 100), (0.8, 100), (0.8, 90)]
    figure = plot_entropies(Branching.of(entropies, found, positions, task="tiny"))
    left, right = figure.axes
    _, shares = bins(entropies, most=40)
    heights = [bar.get_height() for bar in left.patches]  # pyright: ignore
    np.testing.assert_allclose(heights, shares)
    assert list(np.asarray(right.lines[0].get_ydata(), float)) == [1.9, 0.8, 0.8]
    assert len(left.lines) == (1 if forks else 0)
    assert len(png(figure)) > 10_000
