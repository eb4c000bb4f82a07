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

_COLUMNS = ("completion", "problem", "prompt", "answer", "solution", "source", "id")
REWARDS = Room(
    "reward",
    "sage_jax.rewards.parts",
    given=(
        *_COLUMNS, *(f"{name}s" for name in _COLUMNS), "tokens", "mask", "tokenizer", "seed",
        "num_workers", "deadline_s",
    ),
    data=("completion", "completions"),
)  # fmt: skip
