"""The one exception of the models package."""

from sage_jax.telling import OneLine, UserError


class ModelError(OneLine, UserError):
    """A config or checkpoint that is refused; the message names what and why."""
