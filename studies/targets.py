"""What each estimator and guide converges to, on a problem small enough to be enumerated.

    python -m studies.targets

One prompt, eight answers. The expected on-policy gradient of a loss of the library is a sum over
all answers, and plain gradient descent follows it. The optimum of E[r] − β KL(π ‖ q π_ref / Z) is
π* ∝ q π_ref exp(r / β). What is reported: the distance from it in total variation, the mass on
right answers, on the rare ones of these, on a wrong one that the reference likes, and on one that
the reward is fooled by: off-target mass under the forward KL, reward hacking without any.
"""

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sage_jax.losses import Guide, Mean, Objective, Terms, by_name, kl, recipes
from studies import markdown

# Right: 0..3, of which 2 and 3 are rare. Wrong: 4..6, 4 being what the reference likes best.
# 7 is wrong and fools the reward.
REFERENCE = jnp.array([0.16, 0.08, 0.03, 0.01, 0.32, 0.12, 0.1, 0.18])
REWARDS = jnp.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.2])
RIGHT, RARE, LIKED, FOOL = slice(0, 4), slice(2, 4), slice(4, 5), slice(7, 8)
# A guide over the vocabulary: it doubles the rare right answers and halves the liked wrong one.
Q = jnp.array([1.0, 1.0, 2.0, 2.0, 0.5, 1.0, 1.0, 1.0])
BETA = 0.5


class Found(NamedTuple):
    """Where a loss leads to.

    Attributes:
        policy: [V].
        from_reverse: total variation from `reverse_target`.
        from_forward: from `forward_target`.
    """

    policy: jax.Array
    from_reverse: float
    from_forward: float


def over_all(losses: jax.Array, logps: jax.Array) -> Mean:
    """The expectation over answers: a row is an answer, and weighs as much as it is likely."""
    weights = jax.lax.stop_gradient(jnp.exp(logps))
    return Mean(jnp.sum(weights * losses), jnp.ones(()))


def shaped(tokens: jax.Array) -> jax.Array:
    """Log q of the answer taken, [V, 1]: a guide of the token."""
    return jnp.log(Q)[tokens]


def shaped_everywhere(ref_logits: jax.Array) -> jax.Array:
    """Log q of every answer, [V, 1, V]: a guide over the vocabulary."""
    return jnp.broadcast_to(jnp.log(Q), ref_logits.shape)


def whole_shift(mask: jax.Array) -> jax.Array:
    """Log 1.3 everywhere, [V, 1]: a guide of the prefix."""
    return jnp.full(mask.shape, jnp.log(1.3))


GUIDES: Mapping[str, tuple[Callable[..., jax.Array] | None, jax.Array]] = {
    "none": (None, jnp.ones(8)),
    "of the token": (shaped, Q),
    "over the vocabulary": (shaped_everywhere, Q),
    "of the prefix, q = 1.3": (whole_shift, jnp.full(8, 1.3)),
}


def objective(estimator: Callable[..., Any], guide: Guide | None, **options: Any) -> Objective:
    """A loss of one prompt, with all its answers as rows."""
    return recipes.sage(
        guide,
        kl_coef=BETA,
        divergence=by_name.estimator(estimator),
        reduction=by_name.reduction(over_all),
        **options,
    )


ESTIMATORS: Mapping[str, Callable[[Guide | None], Objective]] = {
    "exact": lambda guide: objective(kl.exact, guide),
    "k2": lambda guide: objective(kl.k2, guide),
    "k3 (SAGE's official)": lambda guide: objective(kl.k3, guide),
    "forward, exact": lambda guide: objective(kl.forward_exact, guide),
    "k1 in the reward": lambda guide: objective(kl.k1, guide, kl_in="reward"),
    "no KL": lambda guide: recipes.sage(None, kl_coef=0.0, reduction=by_name.reduction(over_all)),
}


def converge(loss: Objective, *, steps: int = 20_000, rate: float = 0.5) -> jax.Array:
    """The policy [V] that gradient descent on the expected loss comes to, from the reference."""
    size = len(REFERENCE)
    rows = jnp.arange(size)[:, None]
    mask = jnp.ones((size, 1))
    ref_logits = jnp.broadcast_to(jnp.log(REFERENCE), (size, 1, size))

    def expected(logits: jax.Array) -> jax.Array:
        log_probs = jax.nn.log_softmax(logits)
        logps = log_probs[:, None]
        held = jax.lax.stop_gradient(logps)
        terms = Terms(
            logps,
            mask,
            old_logps=held,
            ref_logps=jnp.log(REFERENCE)[:, None],
            tokens=rows,
            logits=jnp.broadcast_to(logits, (size, 1, size)),
            ref_logits=ref_logits,
        )
        step, key = jnp.int32(0), None
        rewards = loss.anchored(REWARDS, terms, step=step, key=key)
        baseline = jnp.sum(jnp.exp(held[:, 0]) * rewards)
        mean, _ = loss(_with(terms, rewards - baseline), step=step, key=key)
        return mean.sum

    def descend(logits: jax.Array, _: None) -> tuple[jax.Array, None]:
        return logits - rate * jax.grad(expected)(logits), None

    return jax.nn.softmax(jax.lax.scan(descend, jnp.log(REFERENCE), None, length=steps)[0])


def _with(terms: Terms, advantages: jax.Array) -> Terms:
    return dataclasses.replace(terms, advantages=advantages)


def reverse_target(q: jax.Array) -> jax.Array:
    """The optimum of the reverse KL, q π_ref exp(r / β) / Z, [V]."""
    return jax.nn.softmax(jnp.log(q * REFERENCE) + REWARDS / BETA)


def forward_target(q: jax.Array) -> jax.Array:
    """Where the pull of the forward KL and the reward's balance, [V].

    The gradient of E[r] + β Σ_v q π_ref log π is 0 at π = β q π_ref / (λ − r), with λ above every
    reward such that π sums to 1. What has no reward keeps β q π_ref / λ: mass off the target.
    """
    pull = BETA * q * REFERENCE

    def halve(bounds: tuple[jax.Array, jax.Array], _: None):
        low, high = bounds
        middle = (low + high) / 2
        over = jnp.sum(pull / (middle - REWARDS)) > 1
        return (jnp.where(over, middle, low), jnp.where(over, high, middle)), None

    start = (jnp.max(REWARDS) + 1e-6, jnp.max(REWARDS) + 2 * jnp.sum(pull))
    (_, multiplier), _ = jax.lax.scan(halve, start, None, length=60)
    return pull / (multiplier - REWARDS)


def find(estimator: str, guide: str) -> Found:
    """Where an estimator leads to with a guide."""
    function, q = GUIDES[guide]
    with_guide = None if function is None else by_name.guide(function)
    policy = jax.jit(lambda: converge(ESTIMATORS[estimator](with_guide)))()
    distances = (0.5 * jnp.abs(policy - to(q)).sum() for to in (reverse_target, forward_target))
    return Found(policy, *map(float, distances))


def table() -> str:
    """Every estimator with every guide, in Markdown."""
    head = [
        "estimator",
        "guide",
        "from π*",
        "from forward",
        "right",
        "rare and right",
        "liked and wrong",
        "fools",
    ]
    lines = []
    for estimator in ESTIMATORS:
        for guide in GUIDES if estimator != "no KL" else ["none"]:
            found = find(estimator, guide)
            masses = (found.policy[part].sum() for part in (RIGHT, RARE, LIKED, FOOL))
            numbers = (found.from_reverse, found.from_forward, *map(float, masses))
            lines.append([estimator, guide, *(f"{one:.3f}" for one in numbers)])
    return markdown.table(head, lines)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Guides that cannot act are asked for on purpose.
        print(table())
