"""What a plan can fail with."""


class PlanError(ValueError):
    """A plan that cannot be made, with a message fit to be shown as it is."""
