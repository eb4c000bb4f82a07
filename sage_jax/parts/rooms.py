"""The rooms: where parts of each kind are looked for, and what the trainer gives them."""

from sage_jax.parts.resolve import Room

GUIDES = Room(
    "guide",
    "sage_jax.losses.guides",
    suffix="_guide",
    given=(
        "max_steps", "step", "key", "mask", "rows", "logps", "old_logps", "ref_logps", "entropies",
        "ref_entropies", "advantages", "tokens", "logits", "ref_logits",
    ),
)  # fmt: skip

ADVANTAGES = Room("advantage", "sage_jax.losses.advantages", given=("rewards", "group_size"))
