"""The rooms: where parts of each kind are looked for, and what the trainer gives them."""

from sage_jax.parts.room import Room
from sage_jax.parts.spec import TaskSpec

# What functions of arrays may ask for, see `losses.by_name`, which is not imported here: it brings
# JAX with it.
_FIELDS = (
    "logps", "mask", "advantages", "old_logps", "ref_logps", "entropies", "ref_entropies",
    "sampler_logps", "log_q", "tokens", "logits", "ref_logits", "vocab_log_q", "rows",
    "entropy_threshold", "tokens_per_row", "gate_threshold", "gate_high", "rewards", "right",
    "modes", "base_pass_rate", "pass_rate", "reward_range", "best_ref_logps", "chosen",
    "distances", "anchor_logps",
)  # fmt: skip
_ARRAYS = (*_FIELDS, "step", "key")

GUIDES = Room(
    "guide", "sage_jax.losses.guides", suffix="_guide", given=("max_steps", *_ARRAYS), field="guide"
)
SURROGATES = Room(
    "surrogate",
    "sage_jax.losses.surrogates",
    given=(*_ARRAYS, "ratios"),
    field="loss.surrogate",
)
ESTIMATORS = Room("estimator", "sage_jax.losses.kl", given=_ARRAYS, field="loss.kl_estimator")
REDUCTIONS = Room(
    "reduction",
    "sage_jax.losses.reduce",
    given=(*_FIELDS, "losses", "max_completion_length"),
    field="loss.reduction",
)
ADVANTAGES = Room(
    "advantage",
    "sage_jax.losses.advantages",
    given=("rewards", "advantages", "terms", "group_size", "step", "key"),
    field="loss.advantage",
)
GATES = Room("gate", "sage_jax.losses.gates", given=(*_ARRAYS, "ratios"), field="loss.kl_gates")

_COLUMNS = ("completion", "problem", "prompt", "answer", "solution", "source", "id")
REWARDS = Room(
    "reward",
    "sage_jax.rewards.parts",
    given=(
        *_COLUMNS, *(f"{name}s" for name in _COLUMNS), "tokens", "mask", "tokenizer", "seed",
        "num_workers", "deadline_s",
    ),
    data=("completion", "completions"),
    asked=("completion", "completions", "tokens"),
    field="reward",
)  # fmt: skip

TASKS = Room(
    "task",
    "sage_jax.data.parts",
    given=(
        "held_out", "seed", "tokenizer", "max_prompt_length", "max_completion_length",
        "open_sources", *TaskSpec.shared(),
    ),
    field="task",
)  # fmt: skip

REPAIRS = Room("repair", "sage_jax.data.repairs", given=("problems",), field="task.repairs")

CURRICULA = Room(
    "curriculum", "sage_jax.data.curriculum", given=("rates",), field="task.curriculum"
)

LISTENERS = Room("listener", "sage_jax.run.tracking.parts", given=("event",), field="listeners")
