"""How far each row of a batch has come: its tokens so far, and whether it has ended."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax

from sage_jax.rollout.result import Finish
from sage_jax.rollout.stopping import StopTable


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Progress:
    """The completions of B rows while they are being written, one column a step.

    Attributes:
        tokens: [B, T] int32, padding where nothing is written.
        mask: [B, T] float32, 1 where a token is written.
        logps: [B, T] float32.
        finish: [B] int32, `Finish.LENGTH` until a row stops for another reason.
        done: [B] bool, rows that take no more tokens.
        stop_states: [B] int32, states of the stop-string automaton.
        step: int32 scalar, the column to be written next.
    """

    tokens: jax.Array
    mask: jax.Array
    logps: jax.Array
    finish: jax.Array
    done: jax.Array
    stop_states: jax.Array
    step: jax.Array

    @classmethod
    def empty(cls, rows: int, length: int, pad_id: int) -> Progress:
        """No row has begun: `rows` completions of up to `length` tokens."""
        return cls(
            tokens=jnp.full((rows, length), pad_id, jnp.int32),
            mask=jnp.zeros((rows, length), jnp.float32),
            logps=jnp.zeros((rows, length), jnp.float32),
            finish=jnp.full(rows, Finish.LENGTH.value, jnp.int32),
            done=jnp.zeros(rows, jnp.bool_),
            stop_states=jnp.zeros(rows, jnp.int32),
            step=jnp.zeros((), jnp.int32),
        )

    def last(self) -> tuple[jax.Array, jax.Array]:
        """The tokens written last, [B, 1], and whether each is real, [B, 1] bool."""
        tokens = lax.dynamic_slice_in_dim(self.tokens, self.step - 1, 1, axis=1)
        mask = lax.dynamic_slice_in_dim(self.mask, self.step - 1, 1, axis=1)
        return tokens, mask > 0

    def take(self, rows: jax.Array) -> Progress:
        """Some of the rows, in the order of `rows` [R]."""
        columns = {name: column[rows] for name, column in vars(self).items() if name != "step"}
        return Progress(**columns, step=self.step)

    def put(self, rows: jax.Array, part: Progress) -> Progress:
        """All rows, those at `rows` [R] as they are in `part`."""
        columns = {
            name: column.at[rows].set(getattr(part, name))
            for name, column in vars(self).items()
            if name != "step"
        }
        return Progress(**columns, step=part.step)

    def append(
        self,
        tokens: jax.Array,
        logps: jax.Array,
        *,
        stop_ids: tuple[int, ...],
        stop_table: StopTable | None,
    ) -> Progress:
        """Write one token [B] and its log-probability [B] into every row that is not done.

        The token that ends a row is still written. A stop token takes precedence over a stop
        string as the reason.
        """
        live = ~self.done
        by_id = live & _is_any(tokens, stop_ids)
        by_string, stop_states = jnp.zeros_like(live), self.stop_states
        if stop_table is not None:
            stop_states = stop_table.advance(self.stop_states, tokens)
            by_string = live & stop_table.is_complete(stop_states)
        finish = jnp.where(by_string, Finish.STOP_STRING.value, self.finish)
        return Progress(
            tokens=_put(self.tokens, tokens, live, self.step),
            mask=_put(self.mask, live.astype(jnp.float32), live, self.step),
            logps=_put(self.logps, logps, live, self.step),
            finish=jnp.where(by_id, Finish.STOP_TOKEN.value, finish),
            done=self.done | by_id | by_string,
            stop_states=stop_states,
            step=self.step + 1,
        )


def _is_any(tokens: jax.Array, ids: tuple[int, ...]) -> jax.Array:
    found = jnp.zeros_like(tokens, jnp.bool_)
    for one in ids:
        found = found | (tokens == one)
    return found


def _put(table: jax.Array, column: jax.Array, live: jax.Array, step: jax.Array) -> jax.Array:
    kept = lax.dynamic_slice_in_dim(table, step, 1, axis=1)
    new = jnp.where(live[:, None], column[:, None], kept)
    return lax.dynamic_update_slice_in_dim(table, new, step, axis=1)
