"""The guide `tempered`: the anchor is a flatter reference, π_ref to a power below 1."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._arrays import Array, as_real, as_valid, keep, like
from ..compose import Guide
from ..schedules import Scheduled, at
from ..terms import Terms, finite, log_softmax, require

Knob = float | Array
Over = Literal["token", "vocabulary"]


def tempered(ref_logps: Array, mask: Array, *, phi: Knob) -> Array:
    """Log of q = π_ref^(φ − 1) at the sampled tokens: the anchor is π_ref^φ, not normalised.

    φ = 1 is the plain reference, φ = 0 the same anchor for every token. q is 1 or more and has no
    upper bound, and the anchor's sum Σ_v π_ref^φ exceeds 1, the more the larger the vocabulary:
    under k3 that sum multiplies the pull. `tempered_vocabulary` is normalised instead.
    `ref_logps`, `mask` and the result [B, T]; `phi` in [0, 1], or an array that broadcasts.

    >>> log_q = tempered(jnp.log(jnp.array([[0.25]])), jnp.ones((1, 1)), phi=0.5)
    >>> print(f"{float(jnp.exp(log_q)[0, 0]):.1f}")
    2.0
    """
    ref_logps = as_real(ref_logps)
    log_q = (like(phi, ref_logps) - 1.0) * ref_logps
    return jax.lax.stop_gradient(keep(as_valid(mask), log_q))


def tempered_vocabulary(ref_logits: Array, mask: Array, *, phi: Knob) -> Array:
    """Log of q = π_ref^(φ − 1) / Z over the vocabulary, Z = Σ_v π_ref^φ; [B, T, V].

    q · π_ref sums to 1, so that it is the right anchor under sampled estimators too. Tokens that
    the reference never gives have q = 1, and stay without an anchor.
    `ref_logits` [B, T, V], temperature-scaled, `mask` [B, T], `phi` in [0, 1], or [B, T] or [B, 1].

    >>> reference = jnp.array([[[0.8, 0.2]]])  # Roots are as 2 to 1.
    >>> log_q = tempered_vocabulary(jnp.log(reference), jnp.ones((1, 1)), phi=0.5)
    >>> print([f"{p:.3f}" for p in (reference * jnp.exp(log_q))[0, 0].tolist()])
    ['0.667', '0.333']
    """
    log_probs = log_softmax(ref_logits)
    phi = like(phi, log_probs)
    flat = (phi[..., None] if phi.ndim else phi) * finite(log_probs)
    held = log_probs > -jnp.inf
    log_z = jax.nn.logsumexp(jnp.where(held, flat, -jnp.inf), axis=-1, keepdims=True)
    log_q = keep(held, flat - log_z - finite(log_probs))
    return jax.lax.stop_gradient(keep(as_valid(mask)[..., None], log_q))


def phi_by_position(mask: Array, *, phi: Knob, ramp: int) -> Array:
    """φ_t = φ + (1 − φ) · min(t / ramp, 1), t the number of valid tokens before; [B, T].

    Flat at the opening, where ways of solving a problem part, and the plain reference from token
    `ramp` on.

    >>> print(phi_by_position(jnp.ones((1, 4)), phi=0.5, ramp=2)[0].tolist())
    [0.5, 0.75, 1.0, 1.0]
    """
    valid = as_valid(mask).astype(float)
    before = jnp.cumsum(valid, axis=-1) - valid
    share = jnp.minimum(before / ramp, 1.0)
    phi = like(phi, share)
    return phi + (1.0 - phi) * share


def phi_by_entropy(entropies: Array, *, phi: Knob, threshold: Knob) -> Array:
    """φ where H >= threshold and 1 below: flat where the text branches alone; [B, T].

    `entropies` in nats, best the reference's, [B, T].

    >>> print(phi_by_entropy(jnp.array([[0.3, 1.5]]), phi=0.5, threshold=1.2))
    [[1.  0.5]]
    """
    entropies = as_real(entropies)
    phi, threshold = like(phi, entropies), like(threshold, entropies)
    return jnp.where(entropies < threshold, jnp.ones((), entropies.dtype), phi)


def phi_by_reward(rewards: Array, *, phi: Knob) -> Array:
    """φ + (1 − φ) · r with r in [0, 1]: flat where an answer was wrong; as `rewards`.

    RAPO (arXiv 2510.03865) has φ rise with the reward; that it does so along a line is ours.

    >>> print(phi_by_reward(jnp.array([[0.0], [1.0]]), phi=0.5)[:, 0].tolist())
    [0.5, 1.0]
    """
    rewards = as_real(rewards)
    phi = like(phi, rewards)
    return phi + (1.0 - phi) * jnp.clip(rewards, 0.0, 1.0)


def tempered_guide(
    *,
    phi: Scheduled = 0.5,
    ramp: int | None = None,
    threshold: Scheduled | None = None,
    by_reward: bool = False,
    over: Over = "token",
) -> Guide:
    """Guide q = π_ref^(φ − 1): the anchor is π_ref^φ, the reference at temperature 1 / φ.

    ramp       φ rises from `phi` at the first token to 1 at token `ramp`, see `phi_by_position`
    threshold  φ is `phi` where the reference's entropy is at least that many nats, else 1
    by_reward  φ is `phi` on a completion of reward 0 and 1 on one of reward 1, see `phi_by_reward`
    over       "token": at sampled tokens, not normalised, see `tempered`; "vocabulary": normalised,
               from `ref_logits`, which the exact estimators need

    A φ by position is ours, and so is one by entropy.
    Raises ValueError unless 0 <= phi <= 1, ramp >= 1 and threshold >= 0, for more than one of
    ramp, threshold and by_reward, or for another `over`.

    >>> one = jnp.ones((1, 1))
    >>> terms = Terms(jnp.log(0.5 * one), one, ref_logps=jnp.log(0.25 * one))
    >>> log_q = tempered_guide(phi=0.5)(terms, step=0, key=None)
    >>> print(f"{float(jnp.exp(log_q)[0, 0]):.1f}")
    2.0
    """
    _check(phi=phi, ramp=ramp, threshold=threshold, by_reward=by_reward, over=over)
    name = "ref_logps" if over == "token" else "ref_logits"

    def phi_of(terms: Terms, step: ArrayLike) -> Knob:
        if ramp is not None:
            return phi_by_position(terms.mask, phi=at(phi, step), ramp=ramp)
        if by_reward:
            rewards = require(terms, "rewards", f"{_LABEL} with by_reward")
            return phi_by_reward(rewards[:, None], phi=at(phi, step))
        if threshold is not None:
            entropies = require(terms, "ref_entropies", f"{_LABEL} with threshold")
            return phi_by_entropy(entropies, phi=at(phi, step), threshold=at(threshold, step))
        return at(phi, step)

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        del key
        function = tempered if over == "token" else tempered_vocabulary
        return function(require(terms, name, _LABEL), terms.mask, phi=phi_of(terms, step))

    needs = {name} | ({"ref_entropies"} if threshold is not None else set())
    return Guide(log_q, "tempered", over, frozenset(needs))


_LABEL = "the guide tempered"


def _check(
    *,
    phi: Scheduled,
    ramp: int | None,
    threshold: Scheduled | None,
    by_reward: bool,
    over: str,
) -> None:
    if isinstance(phi, int | float) and not 0 <= phi <= 1:
        raise ValueError(f"phi is {phi}; 0 <= phi <= 1 must hold")
    if ramp is not None and ramp < 1:
        raise ValueError(f"ramp is {ramp}; it must be 1 or more")
    if isinstance(threshold, int | float) and threshold < 0:
        raise ValueError(f"threshold is {threshold}; it must be 0 or more")
    if (ramp is not None) + (threshold is not None) + by_reward > 1:
        raise ValueError(
            f"ramp is {ramp}, threshold is {threshold} and by_reward is {by_reward}; phi goes by "
            "one of them"
        )
    if over not in ("token", "vocabulary"):
        raise ValueError(f"over is {over!r}; it must be token or vocabulary")
