"""What a step makes of every token that it learns from, for people to look at."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.logprobs import logprobs
from sage_jax.learn.per_token import per_token
from sage_jax.learn.sequences import Sequences, join_groups, of_rollout, split_groups
from sage_jax.learn.state import TrainState
from sage_jax.learn.steps import Steps
from sage_jax.losses import Objective, Terms
from sage_jax.rollout import Rollout


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TokenFigures:
    """Figures of the tokens of B completions at the parameters before the update, [B, T] each.

    What stands behind a completion's end is of no meaning.

    Attributes:
        logps: log-probability under the policy, in nats, of temperature-scaled logits.
        entropies: of the policy's distribution that the token was drawn from, in nats.
        advantages: what the token's log-probability is weighed by.
        ref_logps: log-probability under the reference; None where there is no reference at hand.
        log_q: log guide; None where the anchor is plain. 0 at tokens that the loss leaves out.
    """

    logps: jax.Array
    entropies: jax.Array
    advantages: jax.Array
    ref_logps: jax.Array | None = None
    log_q: jax.Array | None = None


def token_figures(
    steps: Steps,
    state: TrainState,
    frozen: Any,
    rollout: Rollout,
    terms: Terms,
    root: jax.Array,
    step: jax.Array,
) -> TokenFigures:
    """What `steps.learn` is about to make of every token; pure.

    The policy is asked only where `terms` do not tell already. The reference's log-probabilities
    are there where the loss reads them or adapters leave the base's weights at hand.

    Args:
        steps: that are to learn from it.
        state: before the update.
        frozen: see `Modules`.
        rollout: B completions.
        terms: of `steps.logprobs`, with `rewards`.
        root: the run's root key.
        step: int32 scalar.
    """
    sequences, count = of_rollout(rollout), steps.num_minibatches
    update = steps.update_on(len(rollout.tokens) // count)
    terms = steps.prepared(state.trained, frozen, rollout, terms, root, step)
    terms = _with_reference(steps, frozen, sequences, terms)

    def one(drawn: tuple[Sequences, Terms, jax.Array]) -> TokenFigures:
        own, terms, index = drawn
        key = derive(root, Purpose.LOSS, step, index)  # Of the update that they belong to.
        see = functools.partial(_seen, steps.objective, step=step, key=key)
        if terms.old_logps is not None and not steps.needs_logits:
            return see(dataclasses.replace(terms, logps=terms.old_logps))
        return per_token(update, see, state.trained, frozen, own, terms)

    parts, own = split_groups(sequences, terms, count)
    found = jax.lax.map(one, (parts, own, jnp.arange(count, dtype=jnp.int32)))
    return join_groups(found, parts.prompt_tokens.shape[0] * parts.prompt_tokens.shape[1])


def _with_reference(steps: Steps, frozen: Any, sequences: Sequences, terms: Terms) -> Terms:
    if terms.ref_logps is not None or frozen is None:
        return terms
    rows = len(sequences.tokens) // steps.num_minibatches
    each, graphdef = steps.update_on(rows).each, steps.policy.modules.reference_graphdef
    ref_logps, _ = logprobs(graphdef, frozen, sequences, each=each)
    return dataclasses.replace(terms, ref_logps=ref_logps)


def _seen(objective: Objective, terms: Terms, *, step: ArrayLike, key: jax.Array) -> TokenFigures:
    advantages = terms.advantages
    assert advantages is not None
    assert terms.entropies is not None
    if advantages.ndim == 1:
        advantages = jnp.broadcast_to(advantages[:, None], terms.logps.shape)
    log_q = objective.log_q(terms, step=step, key=key)
    return TokenFigures(terms.logps, terms.entropies, advantages, terms.ref_logps, log_q)
