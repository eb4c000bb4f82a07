import numpy as np
import pytest
from vision import VISION, lab, linear, luminance

from sage_jax.evaluate.report.theme import DARK, LIGHT, new_figure, png, shard, styles


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_arms_and_base_stay_apart_for_colour_blind_eyes(theme, vision):
    colors = [theme.base, *theme.arms]
    seen = [lab(np.clip(np.array(VISION[vision]) @ linear(color), 0, 1)) for color in colors]
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(gaps) >= 12


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_and_letters_stand_out_from_the_surface(theme):
    def contrast(color):
        bright, dim = sorted([luminance(color), luminance(theme.surface)], reverse=True)
        return (bright + 0.05) / (dim + 0.05)

    assert min(map(contrast, (*theme.arms, theme.base))) >= 3.0
    assert min(map(contrast, (theme.ink, theme.muted))) >= 4.5


def test_styles_are_by_position_and_never_alike():
    names = [f"arm {n}" for n in range(15)]
    chosen = styles(names, LIGHT, bases=("base",))
    assert chosen["base"].color == LIGHT.base
    assert len({(s.color, s.dash) for s in chosen.values()}) == 16
    assert styles(names[:2], LIGHT)["arm 1"] == chosen["arm 1"]


@pytest.mark.parametrize("seed", range(10))
def test_spread_keeps_order_and_gaps_and_moves_little(seed):
    rng = np.random.default_rng(seed)
    wanted = rng.random(6)
    placed = shard(list(wanted), 0.1, 0.0, 1.0)
    assert (np.argsort(placed) == np.argsort(wanted)).all()
    assert np.diff(np.sort(placed)).min() >= 0.1 - 1e-9
    assert placed.min() >= -1e-9
    assert placed.max() <= 1 + 1e-9


def test_spread_leaves_free_labels_alone_and_squeezes_too_many():
    np.testing.assert_allclose(shard([0.9, 0.1], 0.1, 0.0, 1.0), [0.9, 0.1])
    np.testing.assert_allclose(shard([1.0] * 5, 0.5, 0.0, 1.0), [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(shard([0.3], 0.5, 0.0, 1.0), [0.3])


def test_equal_figures_give_equal_bytes():
    def draw():
        figure = new_figure(LIGHT, 2, 1)
        figure.add_subplot().plot([1, 2], [3, 4])
        return png(figure)

    first = draw()
    assert first.startswith(b"\x89PNG")
    assert first == draw()
