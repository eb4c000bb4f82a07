import numpy as np
import pytest

from sage_jax.evaluate import ResultError, read_metrics
from sage_jax.evaluate.metrics import smooth, thin


@pytest.fixture
def write(tmp_path):
    def put(data: bytes):
        path = tmp_path / "metrics.jsonl"
        path.write_bytes(data)
        return path

    return put


def test_columns_with_gaps(write):
    columns = read_metrics(
        write(b'{"step": 1, "reward": 0.5}\n{"step": 3, "kl": null, "q/mean": NaN}\n')
    )
    assert list(columns) == ["step", "reward", "kl", "q/mean"]
    np.testing.assert_array_equal(columns["step"], [1, 3])
    np.testing.assert_array_equal(columns["reward"], [0.5, np.nan])
    assert np.isnan(columns["kl"]).all()
    assert all(column.dtype == np.float64 for column in columns.values())


@pytest.mark.parametrize(
    "tail", [b'{"st', b'{"step": 2, "reward": 0.', b'{"step": 2, "text": "\xe2\x82', b"\x00\x00"]
)
def test_a_torn_last_line_is_left_out(write, tail):
    columns = read_metrics(write(b'{"step": 1, "reward": 0.5}\n' + tail))
    np.testing.assert_array_equal(columns["step"], [1])


def test_a_whole_last_line_without_newline_counts(write):
    assert len(read_metrics(write(b'{"step": 1}\n{"step": 2}'))["step"]) == 2


def test_an_empty_file_has_no_steps(write):
    assert len(read_metrics(write(b""))["step"]) == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"step": 1}\n{"st\n{"step": 3}\n', r"line 2: not a JSON object"),
        (b'{"step": 1}\n{"st\n', r"line 2: not a JSON object"),
        (b'{"step": 1}\n[2]\n', r"line 2: must be a JSON object, got list"),
        (b'{"reward": 1}\n', r"line 1: step must be a whole number, got None"),
        (b'{"step": 1.5}\n', r"line 1: step must be a whole number, got 1.5"),
        (b'{"step": 2}\n{"step": 2}\n', r"line 2: steps must increase, got 2 after 2"),
        (b'{"step": 1, "kl": "big"}\n', r"line 1: kl must be a number or null, got 'big'"),
        (b'{"step": 1, "kl": true}\n', r"line 1: kl must be a number or null, got True"),
        (b'\xff\n{"step": 1}\n', r"line 1: not a JSON object"),
    ],
)
def test_anything_else_is_refused_with_its_line(write, data, message):
    with pytest.raises(ResultError, match=rf"metrics\.jsonl, {message}"):
        read_metrics(write(data))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ResultError, match="no such file"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_smooth_is_a_normalised_gaussian_mean():
    values = np.random.default_rng(0).random(40)
    places = np.arange(40)
    weights = np.exp(-0.5 * ((places[:, None] - places) / 2.0) ** 2)
    weights[np.abs(places[:, None] - places) > 8] = 0
    expected = weights @ values / weights.sum(axis=1)
    np.testing.assert_allclose(smooth(values, 2.0), expected, rtol=1e-12)


def test_smooth_keeps_constants_lines_inside_and_bridges_gaps():
    values = np.full(30, 3.0)
    values[10:13] = np.nan
    np.testing.assert_allclose(smooth(values, 2.0), 3.0)
    ramp = np.arange(60.0)
    np.testing.assert_allclose(smooth(ramp, 2.0)[10:-10], ramp[10:-10])
    assert np.isnan(smooth(np.full(5, np.nan), 1.0)).all()
    np.testing.assert_array_equal(smooth(ramp, 0.0), ramp)


def test_thin_averages_neighbours():
    values = np.arange(10.0)
    values[3] = np.nan
    np.testing.assert_allclose(thin(values, 5), [0.5, 2.0, 4.5, 6.5, 8.5])
    np.testing.assert_array_equal(thin(values, 10), values)
    assert len(thin(np.zeros(100_001), 800)) <= 800
