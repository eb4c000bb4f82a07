"""The run configuration: frozen, strict, and checked as a whole before any work starts.

One YAML file describes one run. Every field can be overridden on the command line, and an unknown
field, a value of the wrong type or an impossible combination is one `ConfigError` that names the
field, the value and what would be right. Nothing below `train/` and `evaluate/` ever sees these
classes.
"""

from sage_jax.config.arms import arm, arms
from sage_jax.config.files import dump, load, merge, override, parse
from sage_jax.config.sections import Config, Loss, Rollout, Warmup
from sage_jax.config.shipped_configs import shipped, shipped_names
from sage_jax.config.switches import switches
from sage_jax.config.typed import unchecked
from sage_jax.config.words import part_arguments
from sage_jax.faults import ConfigError, explain

__all__ = [
    "Config",
    "ConfigError",
    "Loss",
    "Rollout",
    "Warmup",
    "arm",
    "arms",
    "dump",
    "explain",
    "load",
    "merge",
    "override",
    "parse",
    "part_arguments",
    "shipped",
    "shipped_names",
    "switches",
    "unchecked",
]
