"""What stored tokens show together: histograms of q over training, means by position."""

import json

import numpy as np
import pytest

from sage_jax.evaluate import ResultError, write_report
from sage_jax.evaluate.report.theme import DARK
from sage_jax.evaluate.report.trend_plots import plot_positions, plot_q
from sage_jax.evaluate.samples import Tokens
from sage_jax.evaluate.trends import Q_EDGES, by_position, q_shares, read_trends

LOGPS, REF_LOGPS = np.log([0.5, 0.25, 0.9]), np.log([0.25, 0.25, 0.3])


def line(step, q=None):
    """A stored completion of three tokens."""
    figures = {"logps": [*LOGPS], "ref_logps": [*REF_LOGPS], "entropies": [2.0, 0.5, 0.0]}
    figures |= {} if q is None else {"q": q}
    texts = {"prompt": "", "completion": "abc", "tokens": ["a", "b", "c"], "gold": ""}
    return {"step": step, "id": "p", "reward": 1.0, "finish": "stop"} | texts | figures


def write(folder, lines):
    folder.mkdir(parents=True, exist_ok=True)
    for step, q in lines:
        file = folder / f"step-{step:06d}.jsonl"
        file.write_text((json.dumps(line(step, q)) + "\n") * 8)
    return folder


def share(shares, q):
    return shares[np.searchsorted(Q_EDGES, q) - 1]


def test_every_value_of_q_has_its_bin_and_those_beyond_the_outermost():
    shares = q_shares(np.array([1e-9, 0.1, 1.0, 1.02, 1.4, np.inf, np.nan, 1e9]))
    assert shares.sum() == pytest.approx(1)
    assert share(shares, 1.0) == pytest.approx(2 / 6)
    others = (share(shares, 0.1), share(shares, 1.4), shares[0], shares[-1])
    assert others == pytest.approx([1 / 6] * 4)
    assert not q_shares(np.array([np.nan])).any()


def test_a_runs_trends_are_those_of_its_files(tmp_path):
    found = read_trends(write(tmp_path, [(1, [1.0, 1.0, 0.8]), (10, [1.2, 0.8, None])]))
    assert [*found.q] == [1, 10]
    assert share(found.q[1], 1.0) == pytest.approx(2 / 3)
    assert share(found.q[10], 1.2) == share(found.q[10], 0.8) == 0.5
    assert found.kl is not None
    assert found.entropy is not None
    ratio = REF_LOGPS - LOGPS
    assert [*found.kl.positions] == [1, 2, 3]
    np.testing.assert_allclose(found.kl.means, np.exp(ratio) - 1 - ratio, rtol=1e-6)
    np.testing.assert_allclose(found.entropy.means, [2.0, 0.5, 0.0])


def test_without_a_guide_or_a_folder_there_is_less(tmp_path):
    assert not read_trends(write(tmp_path / "plain", [(1, None)])).q
    nothing = read_trends(tmp_path / "none")
    assert (nothing.q, nothing.kl, nothing.entropy) == ({}, None, None)


def test_as_many_files_are_read_as_can_be_seen_and_late_ones_make_the_curves(tmp_path):
    steps = range(1, 202, 2)
    write(tmp_path, [(step, [1.0, 1.0, 1.4 if step > 150 else 0.8]) for step in steps])
    found = read_trends(tmp_path)
    assert len(found.q) == 24
    assert {1, 201} <= {*found.q}
    assert share(found.q[201], 1.4) == pytest.approx(1 / 3)


def test_positions_share_bins_in_long_completions_and_few_tokens_say_nothing():
    long, short = (Tokens((), {"x": np.arange(n, dtype=float)}) for n in (480, 20))
    curve = by_position([long] * 2 + [short] * 8, lambda tokens: tokens.figures["x"])
    assert curve is not None
    assert [*curve.positions[:3]] == [5.5, 15.5, 25.5]  # Of 10 tokens each.
    np.testing.assert_allclose(curve.means, np.arange(48) * 10 + 4.5)
    assert by_position([short] * 7, lambda tokens: tokens.figures["x"][:1]) is None
    assert by_position([short], lambda tokens: None) is None


def test_plots_hold_every_arm_that_has_something(tmp_path):
    trends = {
        "k3": read_trends(write(tmp_path / "k3", [(1, None)])),
        "branch": read_trends(write(tmp_path / "branch", [(1, [1.0, 1.2, 1.0]), (9, [1.0] * 3)])),
        "gate": read_trends(write(tmp_path / "gate", [(5, [0.1, 1.0, 1.0])])),
    }
    figure = plot_q(trends, theme=DARK)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown[:2]] == ["branch", "gate"]
    low, high = shown[0].get_ylim()
    assert low < 0.1 < 1.2 < high
    assert [axes.get_xlim() for axes in shown[:2]] == [(0.5, 9.5), (4.5, 5.5)]
    odd = plot_q(dict.fromkeys("abc", trends["gate"]))
    assert sum(axes.get_visible() for axes in odd.axes) == 4  # Three arms and the bar of colours.
    lines = [len(axes.lines) for axes in plot_positions(trends).axes]
    assert lines == [3, 3]
    plain = {"k3": trends["k3"]}
    with pytest.raises(ValueError, match="a guide"):
        plot_q(plain)
    with pytest.raises(ValueError, match="figures of tokens"):
        plot_positions({"none": read_trends(tmp_path / "none")})


def test_the_report_has_them_and_writes_nothing_of_a_corrupt_file(tmp_path, write_run):
    run = write_run(tmp_path / "run")
    write(run / "samples", [(7, [1.0, 1.2, 1.0])])
    page = write_report([run], tmp_path / "out").read_text()
    assert (tmp_path / "out" / "q_dark.png").is_file()
    assert (tmp_path / "out" / "positions.png").is_file()
    assert "share of tokens at each q" in page
    (run / "samples" / "step-000001.jsonl").write_text("[]\n")
    with pytest.raises(ResultError, match="step-000001"):
        write_report([run], tmp_path / "none")
    assert not (tmp_path / "none").exists()
