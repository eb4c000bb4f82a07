import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from sage_jax.evaluate import read_runs, support_expansion
from sage_jax.evaluate.report.curves import plot_training
from sage_jax.evaluate.report.plots import plot_history, plot_pass_at_k, plot_support
from sage_jax.evaluate.report.theme import DARK, LIGHT, png, save
from sage_jax.evaluate.support import Support


def pixels(figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(figure))).convert("RGB"))


def assert_drawn(figure, *colors):
    """The picture holds each of the colours in more than a few pixels."""
    image = pixels(figure).astype(int)
    for color in colors:
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        close = np.abs(image - wanted).max(axis=2) <= 12
        assert close.sum() > 200, f"{color} is not to be seen"


@pytest.fixture(scope="module")
def runs(arms):
    return read_runs([arms])


def test_pass_at_k_draws_every_model_in_its_colour(runs, tmp_path):
    results = {"base": runs[0].base} | {run.name: run.final for run in runs}
    figure = plot_pass_at_k(results)
    assert_drawn(figure, LIGHT.base, *LIGHT.arms[:2])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts][:3] == ["base", "grpo", "sage"]
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 4, 8, 16])
    expected = [interval.mean for interval in results["base"].pass_intervals([1, 2, 4, 8, 16])]
    np.testing.assert_allclose(np.asarray(axes.lines[0].get_ydata(), float), expected)
    save(figure, tmp_path / "pass.png")
    assert (tmp_path / "pass.png").stat().st_size > 10_000


def test_colours_agree_between_plots_when_an_arm_is_missing(runs):
    order = [run.name for run in runs]
    figure = plot_pass_at_k({"sage": runs[1].final}, order=order)
    assert to_hex(figure.axes[0].lines[0].get_color()) == LIGHT.arms[1]
    figure = plot_training({"sage": runs[1].metrics}, order=order)
    assert to_hex(figure.axes[0].lines[-1].get_color()) == LIGHT.arms[1]


def test_training_shows_the_panels_that_were_recorded(runs):
    figure = plot_training({run.name: run.metrics for run in runs}, theme=DARK)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == 8
    assert titles[4] == "guide q: mean, with min to max"
    assert_drawn(figure, *DARK.arms[:2])
    unguided = plot_training({"grpo": runs[0].metrics})
    assert len(unguided.axes) == 6


def test_training_survives_gaps_infinities_one_step_and_long_runs():
    nan, inf = np.nan, np.inf
    broken = {"step": np.arange(4.0), "reward": np.array([0.1, nan, inf, 0.2])}
    single = {"step": np.array([1.0]), "reward": np.array([0.3])}
    long = {"step": np.arange(50_000.0), "reward": np.random.default_rng(0).random(50_000)}
    empty = {"step": np.zeros(0), "reward": np.zeros(0)}
    figure = plot_training({"broken": broken, "single": single, "long": long, "empty": empty})
    assert_drawn(figure, *LIGHT.arms[:1], *LIGHT.arms[2:3])
    assert max(len(line.get_xdata()) for line in figure.axes[0].lines) <= 800  # pyright: ignore[reportArgumentType]


def test_history_has_a_panel_for_each_end_of_the_ladder(runs):
    points = {run.name: [run.base, *run.history, run.final] for run in runs}
    figure = plot_history(points)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["pass@1", "pass@16"]
    assert_drawn(figure, *LIGHT.arms[:2])


def test_support_bars_carry_the_counts(runs):
    supports = {run.name: support_expansion(run.base, run.final) for run in runs}
    figure = plot_support(supports)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    for found in supports.values():
        assert f"−{len(found.lost)} lost" in texts
        assert f"+{len(found.gained)} gained" in texts
    assert_drawn(figure, *LIGHT.arms[:2])


def test_support_with_every_problem_solved_has_an_empty_side():
    figure = plot_support({"arm": Support((), ("a", "b"), (), (), 4, 4)})
    assert pixels(figure).std() > 5


def test_names_that_look_like_formulas_are_drawn_as_they_are(runs):
    name = r"lr=$3\frac{e}$_4"
    png(plot_pass_at_k({name: runs[0].final}))
    png(plot_training({name: runs[0].metrics}))
    png(plot_support({name: support_expansion(runs[0].base, runs[0].final)}))


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot_pass_at_k({}), "results must hold at least one"),
        (lambda: plot_history({"a": []}), "histories must hold at least one"),
        (lambda: plot_support({}), "supports must hold at least one"),
        (lambda: plot_training({"a": {"step": np.ones(1)}}), "at least one recorded"),
    ],
)
def test_nothing_to_draw_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
