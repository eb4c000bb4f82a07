import numpy as np
import pytest

from sage_jax.evaluate.theme import DARK, LIGHT, new_figure, png, shard, styles

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(color: str) -> np.ndarray:
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.clip(np.array(to_xyz) @ rgb, 1e-6, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def luminance(color: str) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


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
