"""The one exception of the models package."""

from sage_jax.telling import OneLine


class ModelError(OneLine):
    """A config or checkpoint that is refused; the message names what and why."""
