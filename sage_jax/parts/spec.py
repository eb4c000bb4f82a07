"""What a config says of a part: a name, and arguments beside it."""

import contextlib
import datetime
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
    def files(self) -> dict[str, str]:
        """The files it reads, by argument: those whose name ends in `_file`."""
        given = self.options.items()
        return {n: v for n, v in given if n.endswith("_file") and isinstance(v, str) and v}

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
    correct_from: float | None = None
    """Of the first reward: the least that counts as correct for pass@k; else all above 0 does."""
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


class TaskSpec(Spec):
    """A task as a config names it, with what holds for every task in words."""

    system_prompt: str = ""
    """System message; empty leaves the template's own."""
    instruction: str = "Put your final answer within \\boxed{}."
    """Said after each problem, to fix the answer's form."""
    prefix: str = ""
    """How every completion begins: written for the model, judged with what it adds."""
    template_date: str = "2024-07-26"
    """What a chat template that writes today's date is told, as YYYY-MM-DD: the same in every part
    of a run, whenever it is resumed."""
    thinking: bool | None = None
    """Whether a chat template that can have the model think before it answers does so
    (`enable_thinking`); by default what the template does by itself."""
    repairs: tuple[Spec, ...] = ()
    """Known damage of the problems to train on that is mended, in this order: `form_feeds`,
    `eaten_escapes`, `instructions`, `near_copies`, or `module:function` of your own, problems ->
    (problems, ids of those it touched)."""
    decontaminate: bool = True
    """Leave out training problems that are evaluated on, too: those that are held out, and those of
    `eval.held_out` and `eval.suites`."""
    held_out_share: float = pydantic.Field(default=0.1, gt=0, lt=1)
    """Share of the problems that is held out, by a hash of their statements, where a task does not
    say itself which are."""
    num_workers: int = pydantic.Field(default=2, ge=1, le=1024)
    """Processes of the verifier, and of each reward that is isolated."""
    deadline_s: float = pydantic.Field(default=5.0, gt=0)
    """Seconds after which an answer that is still being judged scores 0: of the verifier, and of a
    call of a reward that is isolated or `async`; `deadline_s` beside a reward goes before it."""
    max_lost: float = pydantic.Field(default=0.05, ge=0, le=1)
    """Share of recent verdicts that may be lost to the deadline, to the memory limit or to a
    crash; above it the run stops and says which. 1 never stops it."""

    rates_file: str = ""
    """Rates at which the base model solves the training problems, as `sage-jax rate` writes them:
    each becomes the column `base_pass_rate` of the problem of its `id`."""
    curriculum: Spec | None = None
    """Weights of the training problems by that column: `band`, `solvable`, `gaussian`, or
    `module:function` of your own from `rates` [N] to weights [N]. 0 leaves a problem out."""

    @pydantic.field_validator("repairs", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list | tuple) else (value,)

    @pydantic.field_validator("template_date")
    @classmethod
    def _day(cls, value: str) -> str:
        with contextlib.suppress(ValueError):
            if datetime.date.fromisoformat(value).isoformat() == value:
                return value
        raise ValueError("Input should be a date such as 2024-07-26")

    @pydantic.model_serializer(mode="wrap")
    def _short(self, as_usual: pydantic.SerializerFunctionWrapHandler) -> Any:
        """Whole, since a run may be resumed with some of these fields changed."""
        return as_usual(self)

    @property
    def files(self) -> dict[str, str]:
        """The files it reads, by argument or field."""
        return super().files | ({"rates_file": self.rates_file} if self.rates_file else {})

    @classmethod
    def shared(cls) -> tuple[str, ...]:
        """Names of the fields that every task has beside `use`."""
        return tuple(name for name in cls.model_fields if name != "use")


class SuiteSpec(Spec):
    """Problems to evaluate on, as a config names them: what a task holds out, all of it."""

    name: str = pydantic.Field(
        default="", pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$", max_length=60
    )
    """Name in tables and of its folder; by default that of the task."""
    system_prompt: str | None = None
    """As `task.system_prompt`, which is the default."""
    instruction: str | None = None
    """As `task.instruction`, which is the default."""
    prefix: str | None = None
    """As `task.prefix`, which is the default."""
    reward: tuple[RewardSpec, ...] = ()
    """As `reward`; none named is the task's own, or else `math`, whatever is trained on."""

    @pydantic.field_validator("reward", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list | tuple) else (value,)

    @property
    def title(self) -> str:
        """Its name in tables and metrics."""
        return self.name or self.label

    def as_task(self, task: TaskSpec) -> TaskSpec:
        """The task that it names, with what `task` says of all tasks where it says nothing."""
        names = [name for name in TaskSpec.shared() if name in type(self).model_fields]
        own = {name: getattr(self, name) for name in names}
        shared = {name: getattr(task, name) for name in TaskSpec.shared()}
        shared |= {name: value for name, value in own.items() if value is not None}
        return TaskSpec.model_validate({"use": self.use, **self.options, **shared})


class SourceSpec(SuiteSpec):
    """One of the tasks that a mixture is of, as a config names it."""

    reward: tuple[RewardSpec, ...] = ()
    """As `reward`, which is the default; where that names none, the task's own, or else `math`."""
    weight: float = pydantic.Field(default=1.0, gt=0)
    """Its share of the prompts is this over the sum of all weights."""
    rates_file: str | None = None
    """As `task.rates_file`, which is the default."""
    curriculum: Spec | None = None
    """As `task.curriculum`, which is the default."""

    @property
    def files(self) -> dict[str, str]:
        """The files it reads, by argument or field."""
        return super().files | ({"rates_file": self.rates_file} if self.rates_file else {})
