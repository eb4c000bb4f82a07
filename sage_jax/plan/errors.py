"""What a plan can fail with."""

from sage_jax.telling import UserError


class PlanError(UserError, ValueError):
    """A plan that cannot be made, with a message fit to be shown as it is."""
