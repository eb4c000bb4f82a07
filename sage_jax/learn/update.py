"""The update step: gradients of any `Loss`, accumulated exactly over micro-batches."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from sage_jax import losses, models
from sage_jax.learn.bins import Slots, over_passes
from sage_jax.learn.logprobs import token_logprobs
from sage_jax.learn.masters import wide, widened
from sage_jax.learn.modules import Modules
from sage_jax.learn.non_finite import NonFinite, first_bad_leaf, first_bad_term
from sage_jax.learn.packing import Packing
from sage_jax.learn.passes import Pass
from sage_jax.learn.sequences import Sequences, completion_hidden, split_groups
from sage_jax.learn.state import TrainState
from sage_jax.losses import Terms, reduce

Loss = Callable[..., tuple[reduce.Mean, reduce.Metrics]]


@dataclasses.dataclass(frozen=True, eq=False)
class Update:
    """One optimiser update on B rows, as a function of arrays.

    The gradient is that of sum / count over all B rows, whatever the micro-batch: sums, counts and
    the sums' gradients are added up, and divided once.

    Attributes:
        modules: which module is called on which arrays.
        loss: (terms, *, step, key) -> (Mean, metrics).
        optimizer: an optax transformation.
        each: how rows go through the model.
        full_vocabulary: hand the loss [B, T, V] logits of policy and reference.
    """

    modules: Modules
    loss: Loss
    optimizer: optax.GradientTransformation
    each: Pass
    full_vocabulary: bool = False

    def __call__(
        self,
        state: TrainState,
        frozen: Any,
        sequences: Sequences,
        terms: Terms,
        key: jax.Array,
        step: jax.Array,
        packing: Packing | None = None,
    ) -> tuple[TrainState, reduce.Metrics, NonFinite]:
        """Update once; pure.

        Args:
            state: trained arrays and the optimiser's.
            frozen: see `Modules`.
            sequences: B rows.
            terms: all that the loss needs besides the policy's own `logps`, `entropies` and, with
                `full_vocabulary`, logits, which are computed here and replace what stands there.
            key: for guides that draw noise.
            step: int32 scalar, the training step, for schedules.
            packing: of this update, if completions share rows; not with `full_vocabulary`.

        Returns:
            The next state; the loss's metrics with `loss`, `grad_norm`, `updates/skipped` and
            `updates/changed` (see `changes`); and where NaN or infinity began. Where a
            log-probability, the loss or the gradient's norm is not a finite number, the state is
            the old one bit for bit, and the update counts as skipped.
        """

        def judge(terms: Terms) -> tuple[reduce.Mean, reduce.Metrics, jax.Array]:
            return *self.loss(terms, step=step, key=key), first_bad_term(terms)

        def total(trained, sequences, terms, slots=None):
            seen = self.observed(trained, frozen, sequences, terms, slots)
            mean, *rest = judge(seen)
            return mean.sum, (seen, mean, *rest)

        grad = jax.grad(total, has_aux=True)
        if packing is None:
            count = sequences.tokens.shape[0] // self.each.micro_batch
            parts = split_groups(sequences, terms, count, shards=self.each.shards.rows)
            grads, (mean, metrics, bad) = _accumulate(grad, state.trained, parts)
        else:
            grads, seen = _accumulate_packed(grad, state.trained, sequences, terms, packing)
            mean, metrics, bad = judge(seen)
        return self._applied(state, grads, mean, metrics, bad)

    def _applied(
        self,
        state: TrainState,
        grads: Any,
        mean: reduce.Mean,
        metrics: reduce.Metrics,
        bad_terms: jax.Array,
    ) -> tuple[TrainState, reduce.Metrics, NonFinite]:
        """The next state from the gradient of the sum, unless something is not finite."""
        # An update without a single valid token has a count of 0 and leaves everything as it is.
        scale = jnp.where(mean.count > 0, 1 / jnp.where(mean.count > 0, mean.count, 1), 0)
        # In float32 where the optimiser keeps the weights so, whatever their own dtype.
        grads = jax.tree.map(
            lambda g, p: (g * scale.astype(g.dtype)).astype(p.dtype), widened(grads), state.precise
        )
        one = jnp.ones((), jnp.float32)
        norm = optax.tree.norm(grads)
        # The loss alone does not tell: on some devices the smaller of NaN and 1 is 1.
        bad = NonFinite(bad_terms, first_bad_leaf(grads))
        good = jnp.isfinite(norm) & jnp.isfinite(mean.sum) & (bad.terms < 0)
        metrics |= {
            "loss": mean,
            "grad_norm": reduce.Mean(norm, one),
            "updates/skipped": reduce.Mean(1 - good.astype(jnp.float32), one),
        }
        # Chosen by element, which melts into the optimiser's own pass over the weights.
        chosen = jax.tree.map(
            lambda new, old: jnp.where(good, new, old), state.apply(grads, self.optimizer), state
        )
        return chosen, metrics | changes(state, chosen), bad

    def observed(
        self,
        trained: Any,
        frozen: Any,
        sequences: Sequences,
        terms: Terms,
        slots: Slots | None = None,
    ) -> Terms:
        """The terms with what the policy says of the completions now."""
        modules, temperature = self.modules, self.each.temperature
        model = models.merge(modules.graphdef, modules.params(trained, frozen))
        if not self.full_vocabulary:
            logps, entropies = token_logprobs(model, sequences, slots, self.each)
            return dataclasses.replace(terms, logps=logps, entropies=entropies)
        logits = model.unembed(completion_hidden(model, sequences)) / temperature
        reference = models.merge(modules.reference_graphdef, frozen)
        ref_logits = reference.unembed(completion_hidden(reference, sequences)) / temperature
        logps, entropies = losses.from_logits(logits, sequences.tokens)
        return dataclasses.replace(
            terms,
            logps=logps,
            entropies=entropies,
            logits=logits,
            ref_logits=ref_logits,
            tokens=sequences.tokens,  # Guides over the vocabulary look theirs up.
        )


def changes(old: TrainState, new: TrainState) -> reduce.Metrics:
    """Shares of the trained numbers that are others than before.

    `updates/changed` is of the weights as the optimiser keeps them. Where those are masters,
    `updates/changed_rounded` is of the narrower ones that the model computes with: with small
    updates few of these change at any one time, and all do in time.
    """
    shares: reduce.Metrics = {"updates/changed": _changed(old.precise, new.precise)}
    if new.precise is not new.trained:
        shares["updates/changed_rounded"] = _changed(old.trained, new.trained)
    return shares


def _changed(old: Any, new: Any) -> reduce.Mean:
    def count(a: jax.Array, b: jax.Array) -> jax.Array:
        # By rows: a float32 stops counting at 2^24, an int32 at 2^31.
        return jnp.sum(a != b, axis=range(1, a.ndim), dtype=jnp.int32).astype(jnp.float32).sum()

    counts = jax.tree.leaves(jax.tree.map(count, old, new))
    size = sum(leaf.size for leaf in jax.tree.leaves(new))
    return reduce.Mean(jnp.stack(counts).sum(), jnp.float32(size))


def _accumulate(grad: Callable, trained: Any, parts: Any) -> Any:
    """Sum of the gradients and merger of the metrics over the leading axis of `parts`."""

    def one(part):
        grads, (_, *judged) = grad(trained, *part)
        return grads, judged

    if jax.tree.leaves(parts)[0].shape[0] == 1:
        return one(jax.tree.map(lambda x: x[0], parts))

    def body(total, part):
        grads, judged = one(part)
        return _added(total, grads), judged

    grads, (*judged, bad_terms) = jax.lax.scan(body, _zeros(trained), parts)
    return grads, (*merge_stacked(judged), bad_terms.max(axis=0))


def _accumulate_packed(
    grad: Callable, trained: Any, sequences: Sequences, terms: Terms, packing: Packing
) -> tuple[Any, Terms]:
    """Sum of the gradient over all passes, and the terms of all rows with what was seen of them.

    A pass has rows that are none, which a loss might count: it is asked for its count and its
    metrics once, of all rows together.
    """

    def one(total, rows, own, slots):
        grads, (seen, *_) = grad(trained, rows, own, slots)
        return _added(total, grads), (seen.logps, seen.entropies)

    grads, seen = over_passes(packing, sequences, terms, one, _zeros(trained))
    return grads, dataclasses.replace(terms, logps=seen[0], entropies=seen[1])


def _zeros(trained: Any) -> Any:
    # Sums are kept in float32 or better, so that bfloat16 weights lose nothing to their number.
    return jax.tree.map(lambda p: jnp.zeros(p.shape, wide(p.dtype)), trained)


def _added(total: Any, grads: Any) -> Any:
    return jax.tree.map(lambda a, g: a + g.astype(a.dtype), total, grads)


def merge_stacked(metrics: Any) -> Any:
    """Metrics with a leading axis of parts, merged over it."""

    def one(metric: reduce.Metric) -> reduce.Metric:
        match metric:
            case reduce.Min(minimum):
                return reduce.Min(minimum.min(axis=0))
            case reduce.Max(maximum):
                return reduce.Max(maximum.max(axis=0))
            case reduce.Mean(sum, count):
                return reduce.Mean(sum.sum(axis=0), count.sum(axis=0))

    kinds = (reduce.Mean, reduce.Min, reduce.Max)
    return jax.tree.map(one, metrics, is_leaf=lambda node: isinstance(node, kinds))
