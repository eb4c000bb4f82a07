"""What a config says of a part: a name, and arguments beside it."""

from typing import Any

import pydantic


class Spec(pydantic.BaseModel):
    """A part as a config names it: which function to use, and its arguments.

    >>> Spec.model_validate("branch").options
    {}
    >>> Spec.model_validate({"use": "branch", "ratio": 0.2}).options
    {'ratio': 0.2}
    """

    model_config = pydantic.ConfigDict(
        frozen=True, extra="allow", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    use: str = pydantic.Field(min_length=1, max_length=200)
    """Name of a part of ours, or `module:function` of one's own."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return value if isinstance(value, dict | Spec) else {"use": value}

    @pydantic.model_serializer(mode="wrap")
    def _short(self, as_usual: pydantic.SerializerFunctionWrapHandler) -> Any:
        given = {n: v for n, v in as_usual(self).items() if not self._is_default(n, v)}
        return self.use if len(given) == 1 else given

    @classmethod
    def _is_default(cls, name: str, value: Any) -> bool:
        return name in cls.model_fields and cls.model_fields[name].default == value

    @property
    def options(self) -> dict[str, Any]:
        """The arguments that are given."""
        return dict(self.model_extra or {})

    @property
    def is_foreign(self) -> bool:
        """Whether it is the user's own."""
        return ":" in self.use

    @property
    def module(self) -> str:
        """The module of the user's own; empty for a part of ours."""
        return self.use.rpartition(":")[0]

    @property
    def label(self) -> str:
        """The name of the function without that of its module."""
        return self.use.rpartition(":")[2]


class RewardSpec(Spec):
    """A reward as a config names it, with its share of the sum."""

    weight: float = 1.0
    """Factor in the sum that is trained on; may be negative, and 0 only measures."""
    name: str = pydantic.Field(default="", pattern=r"^[A-Za-z0-9_.-]*$", max_length=60)
    """Name in metrics, `reward/NAME`; by default that of the function."""

    isolate: bool = False
    """Call the function in worker processes, `task.num_workers` of them: one that hangs, crashes or
    takes too much memory loses its reward, and the run goes on."""
    deadline_s: float | None = pydantic.Field(default=None, gt=0)
    """Seconds for one call, where it is isolated, `async` or `math`; else `task.deadline_s`."""
    memory_gb: float | None = pydantic.Field(default=None, gt=0)
    """Memory of a worker process of an isolated function beside what its imports take; else 1.5."""

    @property
    def title(self) -> str:
        """Its name in metrics."""
        return self.name or self.label


class ListenerSpec(Spec):
    """A listener as a config names it."""

    all_processes: bool = False
    """Tell it on every process, and not on the first alone."""
