import dataclasses
import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from sage_jax.evaluate import EvalResult, ProblemResult, read_runs
from sage_jax.evaluate.comparison import Comparison
from sage_jax.evaluate.report.frontier import families, plot_frontier
from sage_jax.evaluate.report.labels import label_points
from sage_jax.evaluate.report.plots import plot_pass_at_k
from sage_jax.evaluate.report.tables import end_columns
from sage_jax.evaluate.report.theme import LIGHT, new_figure


@pytest.fixture(scope="module")
def runs(arms):
    return read_runs([arms])


def test_a_point_stands_at_pass_at_1_and_at_k(runs):
    results = {"base": runs[0].base} | {run.name: run.final for run in runs}
    (axes,) = plot_frontier(results, joined=[["sage", "grpo"]]).axes
    drawn = {tuple(np.ravel(np.array(line.get_data()))) for line in axes.lines}
    for result in results.values():
        pass1, pass16 = (interval.mean for interval in result.pass_intervals([1, 16]))
        assert any(np.allclose(point, (pass1, pass16)) for point in drawn if len(point) == 2)
    ends = [results[name].pass_table((1, 16)).mean(axis=0) for name in ("sage", "grpo")]
    assert any(len(p) == 4 and np.allclose(p, np.ravel(np.transpose(ends))) for p in drawn)
    assert axes.get_ylabel() == "pass@16"


def test_too_few_samples_are_refused(runs, make_result):
    for results in ({}, {"base": runs[0].base, "one": make_result(samples=1)}):
        with pytest.raises(ValueError, match="2 samples or more"):
            plot_frontier(results)


def test_a_family_differs_in_its_coefficient_alone(runs):
    def run(name, **config):
        return dataclasses.replace(runs[0], name=name, config={"name": name, "seed": 1} | config)

    same = [run("b", loss={"kl_coef": 0.2}), run("a", loss={"kl_coef": 0.05}),
            run("none", loss={"kl_coef": 0})]  # fmt: skip
    others = [run("guide", guide="gated", loss={"kl_coef": 0.1}), run("empty", loss=None),
              run("k2", loss={"kl_coef": 0.2, "kl_estimator": "k2"}),
              run("seed", seed=2, loss={"kl_coef": 0.4})]  # fmt: skip
    assert families([*others, *same]) == [("none", "a", "b")]


@pytest.mark.parametrize("apart", [0.0, 0.004, 0.05])
def test_names_hide_neither_each_other_nor_points(apart):
    figure = new_figure(LIGHT, 8.3, 5.2)
    axes = figure.add_subplot(xlim=(0, 1), ylim=(0, 1))
    points = {f"an_arm_{n}": (0.5 + apart * n, 0.5, LIGHT.ink) for n in range(5)}
    points |= {"corner": (0.99, 0.99, LIGHT.ink), "edge": (0.0, 0.5, LIGHT.ink)}
    line = np.array([(0.0, 0.0), (1.0, 1.0)])
    label_points(axes, points, lines=[line])
    figure.draw_without_rendering()
    names = [Text.get_window_extent(text) for text in axes.texts]  # Without their lines.
    assert not any(a.overlaps(b) for a, b in itertools.combinations(names, 2))
    dots = axes.transData.transform([(x, y) for x, y, _ in points.values()])
    assert not any(name.contains(*dot) for name in names for dot in dots)
    frame = axes.get_window_extent()
    assert all(frame.containsx(x) for name in names for x in name.intervalx)
    path = axes.transData.transform(line[0] + np.linspace(0, 1, 200)[:, None])
    assert not any(name.contains(*one) for name in names for one in path)


def test_exact_curves_end_where_the_best_model_solves_nearly_all():
    def exact(chance):
        problems = tuple(ProblemResult(id, chance, 0, modes={"x": chance}) for id in "ab")
        return EvalResult("final", 4, "toy", 0, 3, 1.0, problems)

    results = {"base": exact(0.01), "arm": exact(0.3)}
    (axes,) = plot_pass_at_k(results).axes
    assert [list(np.asarray(line.get_xdata())) for line in axes.lines] == [[1, 2, 4, 8, 16]] * 2
    comparison = Comparison(results, ("base",), {"arm": "base"}, ("pass@1",), {})
    assert end_columns(comparison) == {}
