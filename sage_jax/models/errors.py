"""The one exception of the models package."""


class ModelError(ValueError):
    """A config or checkpoint that is refused; the message names what and why."""
