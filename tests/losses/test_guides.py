"""The plain guides and schedules against NumPy, their noise, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import Terms, by_name, guides, reshape, schedules, weights

pytestmark = pytest.mark.usefixtures("x64")


@pytest.fixture
def rows():
    rng = np.random.default_rng(1)
    values = rng.uniform(0.0, 5.0, size=(6, 9))
    lengths = np.array([9, 5, 1, 2, 0, 3])
    values[5, :3] = 2.5
    values[1, :5] = [1.0, 3.0, 3.0, 0.5, 3.0]
    return values, np.arange(9) < lengths[:, None]


def _by_row(values, mask, function):
    out = np.zeros_like(values)
    for i, valid in enumerate(mask):
        if valid.any():
            out[i, valid] = function(values[i, valid])
    return out


def _minmax(s):
    low, high = np.quantile(s, [0.05, 0.95])
    return (np.clip(s, low, high) - low) / (high - low) if high > low else np.zeros_like(s)


def _rank(s):
    ranks = [(np.sum(s < x) + np.sum(s <= x) - 1) / 2 for x in s]
    return np.array(ranks) / max(len(s) - 1, 1)


def _zscore(s):
    return 1.0 / (1.0 + np.exp(-(s - s.mean()) / (s.std() + 1e-8)))


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize(
    ("function", "oracle"),
    [(weights.minmax, _minmax), (weights.rank, _rank), (weights.zscore, _zscore)],
)
def test_weights_equal_numpy(rows, function, oracle, jit):
    values, mask = rows
    function = jax.jit(function) if jit else function
    found = function(jnp.asarray(values), jnp.asarray(mask))
    np.testing.assert_allclose(found, _by_row(values, mask, oracle), rtol=0, atol=1e-9)


def test_rank_of_equal_surprisals_is_shared(rows):
    found = weights.rank(*map(jnp.asarray, rows))
    np.testing.assert_allclose(found[1, :5], [0.25, 0.75, 0.75, 0.0, 0.75])


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_branch_equals_numpy(rows, dtype):
    values, mask = rows
    entropies = jnp.asarray(values, dtype)
    log_q = guides.branch(entropies, jnp.asarray(mask), ratio=0.3, threshold=1.2, q_max=1.5)
    assert log_q.dtype == ("float64" if dtype == "float64" else "float32")
    q = np.clip(1 + 0.3 * np.maximum(np.asarray(entropies, np.float64) - 1.2, 0), 0.6, 1.5)
    np.testing.assert_allclose(log_q, np.where(mask, np.log(q), 0), atol=1e-6)
    options = {"ratio": jnp.float64(0.3), "threshold": 1.2, "q_max": 1.5}
    jitted = jax.jit(guides.branch, static_argnames=("q_min", "q_max"))
    np.testing.assert_allclose(jitted(entropies, mask, **options), log_q, atol=1e-6)


def test_token_with_noise_equals_numpy(rows):
    values, mask = rows
    key = jax.random.key(3)
    log_q = guides.token(jnp.asarray(-values), jnp.asarray(mask), key, alpha=0.2, sigma=0.9)
    noise = guides.row_normals(key, None, values.shape, jnp.float64)
    w = _by_row(values, mask, _minmax)
    q = np.clip(1 + 0.2 * w + 0.9 * w * noise, 0.6, 1.4)
    np.testing.assert_allclose(log_q, np.where(mask, np.log(q), 0), atol=1e-9)
    assert np.exp(log_q).min() == pytest.approx(0.6)


def test_random_touches_a_share_epsilon_with_spread_sigma():
    log_q = guides.random(jnp.ones((200, 500)), jax.random.key(0), epsilon=0.1, sigma=0.05)
    q = np.exp(log_q)
    moved = q != 1.0
    assert moved.mean() == pytest.approx(0.1, abs=0.005)
    assert q[moved].mean() == pytest.approx(1.0, abs=0.003)
    assert q[moved].std() == pytest.approx(0.05, abs=0.003)
    assert not np.any(guides.random(jnp.ones((2, 5)), jax.random.key(0), epsilon=0.0))


def test_noise_depends_on_the_row_and_not_on_the_batch_around_it():
    key, rows = jax.random.key(7), jnp.arange(6, dtype=jnp.int32)
    whole = guides.row_normals(key, rows, (6, 5))
    np.testing.assert_array_equal(guides.row_normals(key, None, (6, 5)), whole)
    np.testing.assert_array_equal(guides.row_normals(key, rows[2:5], (3, 5)), whole[2:5])
    np.testing.assert_array_equal(guides.row_normals(key, rows[::-1], (6, 5)), whole[::-1])
    np.testing.assert_array_equal(guides.row_normals(key, rows, (6, 9))[:, :5], whole)
    assert np.unique(whole).size == whole.size
    mask = jnp.ones((6, 5))
    drawn = guides.random(mask, key, rows, epsilon=0.5)
    np.testing.assert_array_equal(guides.random(mask[2:5], key, rows[2:5], epsilon=0.5), drawn[2:5])


def test_guides_are_constant_under_the_gradient(rows):
    values, mask = map(jnp.asarray, rows)
    gradient = jax.grad(lambda x: jnp.sum(guides.branch(x, mask) + guides.token(-x, mask)))
    assert not np.any(gradient(values))


@pytest.mark.parametrize(
    ("guide", "read"),
    [
        (guides.branch_guide(), "entropies"),
        (guides.branch_guide(source="ref"), "ref_entropies"),
        (guides.token_guide(max_steps=10), "logps"),
        (guides.token_guide(source="ref", max_steps=10), "ref_logps"),
    ],
)
def test_source_picks_whose_numbers_are_read(rows, guide, read):
    values, mask = map(jnp.asarray, rows)
    names = ("logps", "entropies", "ref_logps", "ref_entropies")
    fields = {name: jnp.ones_like(values) for name in names}
    key, sign = jax.random.key(1), -1.0 if "logps" in read else 1.0
    terms = Terms(mask=mask, **(fields | {read: sign * values}))
    found = guide(terms, step=0, key=key)
    if guide.name == "branch":
        expected = guides.branch(values, mask)
    else:
        expected = guides.token(-values, mask, key, sigma=0.25)
    np.testing.assert_array_equal(found, expected)
    if not read.startswith("log"):
        with pytest.raises(ValueError, match=f"terms.{read} is None; the guide {guide.name}"):
            guide(Terms(values, mask), step=0, key=key)


def test_a_second_guide_sees_the_unshaped_reference(rows):
    values, mask = map(jnp.asarray, rows)
    terms = Terms(-values, mask, ref_logps=-values, ref_entropies=values)
    quiet = guides.token_guide(alpha=0.3, sigma=0.0, source="ref")
    once = reshape(quiet)(terms, step=0, key=None)
    shaped = reshape(quiet)(reshape(guides.branch_guide(source="ref"))(terms, step=0, key=None),
                            step=0, key=None)  # fmt: skip
    assert once.log_q is not None
    assert shaped.log_q is not None
    branch = guides.branch(values, mask)
    np.testing.assert_allclose(shaped.log_q, branch + once.log_q, atol=1e-12)
    np.testing.assert_array_equal(shaped.ref_logps, -values)
    np.testing.assert_allclose(shaped.anchor_logps, -values + branch + once.log_q, atol=1e-12)


def test_official_bounds_fall_over_the_steps_of_a_run(rows):
    values, mask = map(jnp.asarray, rows)
    terms, key = Terms(-values, mask, rows=jnp.arange(len(mask))), jax.random.key(0)
    guide = guides.token_guide(max_steps=80)
    for step in (0, 3, 79):
        alpha, sigma = (
            schedules.cosine_cycles(step, upper=upper, lower=lower, max_steps=80)
            for upper, lower in ((0.3, 0.1), (0.25, 0.1))
        )
        expected = guides.token(-values, mask, key, terms.rows, alpha=alpha, sigma=sigma)
        np.testing.assert_array_equal(guide(terms, step=step, key=key), expected)


def gate(ref_entropies, mask, *, low=0.8):
    return guides.bounded_log(jnp.where(ref_entropies < 1.2, low, 1.0), mask)


def test_a_function_of_arrays_asks_for_terms_by_name(rows):
    values, mask = map(jnp.asarray, rows)
    guide = by_name.guide(gate, low=0.9)
    assert (guide.name, guide.depends_on) == ("gate", "prefix")
    terms = Terms(-values, mask, ref_entropies=values)
    found = guide(terms, step=0, key=None)
    np.testing.assert_array_equal(found, gate(values, mask, low=0.9))
    with pytest.raises(ValueError, match=r"terms\.ref_entropies is None; the guide gate needs it"):
        guide(Terms(-values, mask), step=0, key=None)
    assert by_name.guide(lambda logps: logps).depends_on == "token"
    assert by_name.guide(lambda logits: logits).depends_on == "vocabulary"
    with pytest.raises(ValueError, match=r"gives shape \(\); log q must be \[B, T\]"):
        by_name.guide(lambda logps: logps.sum())(terms, step=0, key=None)


def test_knobs_may_be_schedules_of_a_traced_step(rows):
    values, mask = map(jnp.asarray, rows)
    alpha = schedules.cyclic(0.3, 0.1, max_steps=80)
    guide = guides.token_guide(alpha=alpha, sigma=0.0)
    traces = []

    @jax.jit
    def log_q(step):
        traces.append(None)
        return guide(Terms(-values, mask), step=step, key=None)

    for step in (0, 5, 17, 999):
        expected = guides.token(-values, mask, alpha=alpha(step))
        np.testing.assert_allclose(log_q(jnp.int32(step)), expected, atol=1e-12)
    assert len(traces) == 1


def test_schedule_against_a_counter_that_ticks():
    options = {"max_steps": 23, "num_cycles": 4, "decay_rate": 0.7}
    upper, cycle, found = 0.4, 0, []
    for step in range(40):
        phase = step % 5
        if phase == 0 and step and cycle < 3:
            upper, cycle = upper * 0.7, cycle + 1
        found.append(0.1 + (upper - 0.1) * 0.5 * (1 + np.cos(np.pi * phase / 5)))
    values = schedules.cosine_cycles(jnp.arange(40), upper=0.4, lower=0.1, **options)
    np.testing.assert_allclose(values, found, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guides.branch_guide(q_min=0.0), "q_min is 0.0 and q_max is 1.4; 0 < q_min <= 1"),
        (lambda: guides.token_guide(q_max=0.9), "q_min is 0.6 and q_max is 0.9; 0 < q_min <= 1"),
        (lambda: guides.branch_guide(source="old"), "source is 'old'; it must be policy or ref"),  # pyright: ignore
        (lambda: guides.branch_guide(ratio=-0.1), "ratio is -0.1; it must be 0 or more"),
        (lambda: guides.token_guide(normalize="max"), "it must be minmax, rank or zscore"),  # pyright: ignore
        (lambda: guides.token_guide(), "max_steps is None; alpha falls from 0.3 to 0.1 over them"),
        (
            lambda: guides.token_guide(alpha=(0.1, 0.2), max_steps=5),
            "upper >= lower >= 0 must hold",
        ),
        (
            lambda: guides.random_guide(epsilon=(1.5, 0.0), max_steps=5),
            "a probability is 1 or less",
        ),
        (lambda: guides.random_guide(max_steps=5, decay_rate=0.0), "decay_rate is 0.0"),
        (lambda: guides.random(jnp.ones((1, 1)), None), "key is None; the guide random draws"),
        (
            lambda: guides.token(-jnp.ones((1, 1)), jnp.ones((1, 1)), sigma=0.1),
            "key is None; the guide token draws",
        ),
        (lambda: schedules.cyclic(1.0, 0.0, max_steps=0), "max_steps is 0 and num_cycles is 8"),
        (
            lambda: schedules.cyclic(1.0, 0.0, max_steps=5, num_cycles=0),
            "max_steps is 5 and num_cycles is 0; both must be at least 1",
        ),
    ],
)
def test_refused_with_a_message(call, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        call()
