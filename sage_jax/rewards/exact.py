"""Token-level exact match, for tasks whose answer is one known sequence of tokens."""

import jax
import jax.numpy as jnp


def _widen(array: jax.Array, length: int) -> jax.Array:
    return jnp.pad(array, ((0, 0), (0, length - array.shape[1])))


@jax.jit
def exact_match(
    tokens: jax.Array, mask: jax.Array, targets: jax.Array, target_mask: jax.Array
) -> jax.Array:
    """Reward 1 where a completion is its target token for token, else 0.

    reward_b = 1 iff for all t: mask_bt = target_mask_bt and (mask_bt = 0 or
    tokens_bt = targets_bt), the shorter of the two being padded on the right. Tokens under a zero
    mask never matter, and a completion that goes on after its target, or stops before it, is
    wrong. The end token counts like any other: put it into the target if completions must stop.

    Args:
        tokens: completions, int [B, T].
        mask: 1 (or True) at the completions' tokens, [B, T].
        targets: right answers, int [B, U].
        target_mask: 1 (or True) at the answers' tokens, [B, U].

    Returns:
        Rewards, float32 [B].

    Raises:
        ValueError: if a mask's shape is not its tokens' shape, or the numbers of rows differ.

    >>> import jax.numpy as jnp
    >>> exact_match(jnp.array([[4, 2, 9], [4, 3, 0]]), jnp.array([[1, 1, 0], [1, 1, 0]]),
    ...             jnp.array([[4, 2], [4, 2]]), jnp.ones((2, 2)))
    Array([1., 0.], dtype=float32)
    """
    _check_shapes(tokens, mask, targets, target_mask)
    length = max(tokens.shape[1], targets.shape[1])
    valid, target_valid = (_widen(m.astype(bool), length) for m in (mask, target_mask))
    same = _widen(tokens, length) == _widen(targets.astype(tokens.dtype), length)
    right = (valid == target_valid) & (~valid | same)
    return jnp.all(right, axis=1).astype(jnp.float32)


def _check_shapes(
    tokens: jax.Array, mask: jax.Array, targets: jax.Array, target_mask: jax.Array
) -> None:
    for name, mask_name, array, its_mask in (
        ("tokens", "mask", tokens, mask),
        ("targets", "target_mask", targets, target_mask),
    ):
        if array.ndim != 2 or array.shape != its_mask.shape:
            raise ValueError(
                f"{name} {array.shape} and {mask_name} {its_mask.shape} must be of one shape, "
                "[rows, length]"
            )
    if tokens.shape[0] != targets.shape[0]:
        raise ValueError(f"tokens has {tokens.shape[0]} rows and targets {targets.shape[0]}")
