"""`Terms`, what a loss is computed from, and the way there from logits."""

from dataclasses import dataclass, fields, replace

import jax
import jax.numpy as jnp

from ._arrays import Array, as_real, as_valid, count, keep, masked_quantile, real_dtype


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Terms:
    """Arrays of one batch of completions; every array that is given starts with the axis B.

    A micro-batch is therefore `jax.tree.map(lambda x: x[rows], terms)` and a sharded batch is
    sharded on axis 0. All log-probabilities are of temperature-scaled logits, in nats, at the
    sampled tokens. What stands where `mask` is 0 is never read.

    logps              [B, T]     log π_θ, differentiated
    mask               [B, T]     valid completion tokens, end-of-sequence included; bool or 0/1
    advantages         [B]        or [B, T] where credit is given by token
    old_logps          [B, T]     log π_old; None: the batch is on-policy, stop_gradient(logps)
    ref_logps          [B, T]     log π_ref, unshaped
    entropies          [B, T]     entropy of π_θ
    ref_entropies      [B, T]     entropy of π_ref
    sampler_logps      [B, T]     log-probability that the sampler reported
    log_q              [B, T]     log guide at the sampled tokens; None: q = 1
    tokens             [B, T]     sampled ids; only guides over the vocabulary need them
    logits, ref_logits [B, T, V]  temperature-scaled; only the `exact` estimators need them
    vocab_log_q        [B, T, V]  log guide over the vocabulary
    rows               [B]        index of each row in the whole batch; seeds its noise
    entropy_threshold  [B]        the whole batch's threshold for top-entropy masking, repeated
    tokens_per_row     [B]        the whole batch's mean number of valid tokens a row, repeated
    gate_threshold     [B]        the threshold that `guides.gated_guide` took from it, repeated
    gate_high          [B]        and the q above that threshold
    rewards            [B]        of each completion, before any KL is taken off
    right              [B]        1 where its answer is right, else 0
    modes              [B]        which way of being right it took, any integers; negative: none
    base_pass_rate     [B]        share of the base model's answers to its prompt that are right
    pass_rate          [B]        share of its group that is right, see `outcome.with_outcome`
    reward_range       [B]        highest less lowest reward of its group
    best_ref_logps     [B]        log π_ref of the likeliest among its group's best completions
    chosen             [B, T]     tokens that a part picked out of the whole batch; booleans
    distances          [B, T]     from the anchor before the update, see `Objective.distances`
    """

    logps: Array
    mask: Array
    advantages: Array | None = None
    old_logps: Array | None = None
    ref_logps: Array | None = None
    entropies: Array | None = None
    ref_entropies: Array | None = None
    sampler_logps: Array | None = None
    log_q: Array | None = None
    tokens: Array | None = None
    logits: Array | None = None
    ref_logits: Array | None = None
    vocab_log_q: Array | None = None
    rows: Array | None = None
    entropy_threshold: Array | None = None
    tokens_per_row: Array | None = None
    gate_threshold: Array | None = None
    gate_high: Array | None = None
    rewards: Array | None = None
    right: Array | None = None
    modes: Array | None = None
    base_pass_rate: Array | None = None
    pass_rate: Array | None = None
    reward_range: Array | None = None
    best_ref_logps: Array | None = None
    chosen: Array | None = None
    distances: Array | None = None

    @property
    def valid(self) -> Array:
        """The mask as booleans, [B, T]."""
        return as_valid(self.mask)

    @property
    def anchor_logps(self) -> Array:
        """log(q · π_ref) at the sampled tokens, not renormalised: ref_logps + log_q, [B, T].

        Raises ValueError when there are no `ref_logps`.
        """
        ref_logps = require(self, "ref_logps", "an anchor")
        return ref_logps if self.log_q is None else ref_logps + self.log_q

    @property
    def sampling_logps(self) -> Array:
        """The sampling policy: log π_old, or stop_gradient(logps) on-policy, [B, T]."""
        return jax.lax.stop_gradient(self.logps if self.old_logps is None else self.old_logps)


OUTCOME = (
    "rewards", "right", "modes", "base_pass_rate", "pass_rate", "reward_range", "best_ref_logps",
)  # fmt: skip
"""Fields that say how a row, its group or its prompt came out; functions of arrays get [B, 1]."""
_OF_THE_BATCH = ("entropy_threshold", "tokens_per_row", "gate_threshold", "gate_high")
_TRAINED = ("logps", "entropies", "logits")
_RANKS: dict[str, tuple[str, ...]] = {
    "advantages": ("[B]", "[B, T]"),
    "logits": ("[B, T, V]",),
    "ref_logits": ("[B, T, V]",),
    "vocab_log_q": ("[B, T, V]",),
    **dict.fromkeys(("rows", *_OF_THE_BATCH, *OUTCOME), ("[B]",)),
}


def require(terms: Terms, name: str, purpose: str) -> Array:
    """The field of that name; raises ValueError when it is None, saying what needs it."""
    value = getattr(terms, name)
    if value is None:
        raise ValueError(f"terms.{name} is None; {purpose} needs it")
    return value


def check(terms: Terms) -> None:
    """Raise ValueError naming the first field whose shape does not fit that of `logps`."""
    if terms.logps.ndim != 2:
        raise ValueError(f"terms.logps has shape {terms.logps.shape}; it must be [B, T]")
    batch, length = terms.logps.shape
    vocabulary = None
    for name, value in _given(terms):
        if name in ("logits", "ref_logits", "vocab_log_q") and value.ndim == 3:
            vocabulary = vocabulary or value.shape[-1]
        forms = _RANKS.get(name, ("[B, T]",))
        shapes = [(batch,), (batch, length), (batch, length, vocabulary)]
        if value.shape not in [shapes[form.count(",")] for form in forms]:
            sizes = f"B = {batch}, T = {length}" + (f", V = {vocabulary}" if vocabulary else "")
            must = f"it must be {' or '.join(forms)} with {sizes}"
            raise ValueError(f"terms.{name} has shape {value.shape}; {must}")


def clean(terms: Terms) -> Terms:
    """The same terms, zero wherever the mask is, float32 or better, with constants held constant.

    After it neither a value nor a gradient can depend on what stands under the mask, be it NaN.
    Only `logps`, `entropies` and `logits` are differentiated through.
    """
    valid, dtype = terms.valid, real_dtype(terms.logps)
    cleaned = {name: _clean_one(name, value, valid, dtype) for name, value in _given(terms)}
    return replace(terms, **cleaned)


def from_logits(
    logits: Array, tokens: Array, mask: Array | None = None, *, temperature: float = 1.0
) -> tuple[Array, Array]:
    """Log-probabilities of the tokens and entropies of the distributions they came from.

    logps = log softmax(logits / temperature)[tokens], entropies = −Σ_v π log π in nats.
    `logits` [B, T, V], `tokens` [B, T]; both results [B, T], float32 or better, and 0 where `mask`
    [B, T] is. Logits of −inf (a padded vocabulary) are allowed. Raises ValueError for a temperature
    that is not positive.

    >>> logps, entropies = from_logits(jnp.zeros((1, 1, 4)), jnp.array([[2]]))
    >>> print(f"{float(logps[0, 0]):.4f} {float(entropies[0, 0]):.4f}")
    -1.3863 1.3863
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; it must be above 0")
    valid = jnp.ones(tokens.shape, bool) if mask is None else as_valid(mask)
    log_probs = log_softmax(keep(valid[..., None], as_real(logits)) / temperature)
    tokens = keep(valid, tokens)
    logps = jnp.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
    return keep(valid, logps), keep(valid, entropy(log_probs))


def log_softmax(logits: Array) -> Array:
    """Log-probabilities over the last axis, float32 or better."""
    return jax.nn.log_softmax(as_real(logits), axis=-1)


def entropy(log_probs: Array) -> Array:
    """−Σ_v exp(log_probs) · log_probs over the last axis, in nats; −inf counts as probability 0."""
    return -jnp.sum(jnp.exp(log_probs) * finite(log_probs), axis=-1)


def finite(values: Array) -> Array:
    """Values with −inf replaced by 0, so that 0 · log 0 is 0 and has gradient 0."""
    return jnp.where(values == -jnp.inf, jnp.zeros((), values.dtype), values)


def entropy_threshold(entropies: Array, mask: Array, *, top_entropy_quantile: float) -> Array:
    """The entropy that the top share of a batch's valid tokens reaches, a scalar.

    The (1 − top_entropy_quantile) quantile over all valid tokens, linearly interpolated; +inf for a
    batch without valid tokens. `entropies`, `mask` [B, T]. Source: arXiv 2506.01939, section 5.
    Raises ValueError outside (0, 1].
    """
    if not 0 < top_entropy_quantile <= 1:
        raise ValueError(f"top_entropy_quantile is {top_entropy_quantile}; it must be in (0, 1]")
    flat = jax.lax.stop_gradient(as_real(entropies)).reshape(-1)
    return masked_quantile(flat, as_valid(mask).reshape(-1), 1.0 - top_entropy_quantile)[0]


def with_batch_statistics(terms: Terms, *, top_entropy_quantile: float = 1.0) -> Terms:
    """Terms with the statistics of this whole batch filled in, to be split afterwards.

    Sets `rows` where missing, `tokens_per_row`, and below quantile 1 `entropy_threshold`, so that
    the micro-batches of the result together give exactly the loss of the whole.
    """
    batch, valid, dtype = terms.logps.shape[0], terms.valid, real_dtype(terms.logps)
    rows = jnp.arange(batch, dtype=jnp.int32) if terms.rows is None else terms.rows
    tokens_per_row = jnp.full((batch,), count(valid, dtype) / batch)
    terms = replace(terms, rows=rows, tokens_per_row=tokens_per_row)
    if top_entropy_quantile == 1.0:
        return terms
    entropies = require(terms, "entropies", "top-entropy masking")
    threshold = entropy_threshold(entropies, valid, top_entropy_quantile=top_entropy_quantile)
    return replace(terms, entropy_threshold=jnp.full((batch,), threshold.astype(dtype)))


def _given(terms: Terms) -> list[tuple[str, Array]]:
    pairs = [(field.name, getattr(terms, field.name)) for field in fields(terms)]
    return [(name, value) for name, value in pairs if value is not None]


def _clean_one(name: str, value: Array, valid: Array, dtype: jnp.dtype) -> Array:
    if name == "mask":
        return valid
    if name == "chosen":
        return as_valid(value) & valid
    if name in ("tokens", "rows", "modes"):
        return keep(valid, value) if name == "tokens" else value
    value = value.astype(dtype)
    if name not in _TRAINED:
        value = jax.lax.stop_gradient(value)
    if name in (*_OF_THE_BATCH, *OUTCOME):
        return value
    held = valid.any(axis=-1) if value.ndim == 1 else valid
    return keep(held[..., None] if value.ndim == 3 else held, value)
