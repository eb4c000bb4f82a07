"""The model that training starts from, over a mesh, and the task in its vocabulary."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from sage_jax import config as configs
from sage_jax import models, parallel
from sage_jax.config import ConfigError
from sage_jax.data.make_task import held_out_problems, make_task
from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import Split
from sage_jax.data.rates import COLUMNS
from sage_jax.data.reading import Beside
from sage_jax.data.tasks import Enumerable, Setting, Task, Vocabulary
from sage_jax.learn.placement import place
from sage_jax.learn.policy import placer
from sage_jax.parts import SuiteSpec
from sage_jax.setup.mesh import open_mesh, resolve_mesh
from sage_jax.setup.objective import make_loss


class Placed(Protocol):
    """A model over a mesh, which is what a learner is made of; arrays may be shapes."""

    @property
    def loaded(self) -> models.Loaded:
        """Graphdef, params, config and tokenizer."""
        ...

    @property
    def mesh(self) -> Mesh:
        """Where the arrays lie."""
        ...


@dataclasses.dataclass(frozen=True)
class Base:
    """The model that training starts from, and the task in its vocabulary.

    Attributes:
        loaded: graphdef, params, config and tokenizer.
        task: prompts and judge.
        mesh: where the arrays lie.
        why: the reason for that mesh, where it was picked and not asked for.
    """

    loaded: models.Loaded
    task: Task
    mesh: Mesh
    why: str = ""


def open_base(
    config: configs.Config, source: str, *, task: Task | None = None, trains: bool = True
) -> Base:
    """Load the model to start from, and open the task in its vocabulary unless it is given.

    Args:
        config: of the run.
        source: of the model.
        task: if it is open.
        trains: else what a loss and a curriculum read of the problems need not be there.

    Raises:
        ConfigError: if the model, the task and the config do not fit each other.
    """
    config, why = resolve_mesh(config, lambda: models.read_config(source))
    mesh = open_mesh(config)
    parallel.connect(mesh)
    loaded = models.load(source, place=placer(mesh), **model_options(config, mesh))
    return Base(loaded, task or open_task(config, loaded, trains=trains), mesh, why)


def open_random(config: configs.Config, key: jax.Array) -> Base:
    """A model of random weights in the vocabulary of its task."""
    task = open_task(config, None)
    shape = random_model(config, task)
    config, why = resolve_mesh(config, lambda: shape)
    mesh = open_mesh(config)
    parallel.connect(mesh)
    graphdef, params = models.init(shape, key, **model_options(config, mesh))
    return Base(models.Loaded(graphdef, place(mesh, params), shape, None), task, mesh, why)


def with_params(base: Base, params: Any) -> Base:
    """The same model with other weights."""
    return dataclasses.replace(base, loaded=dataclasses.replace(base.loaded, params=params))


def model_options(config: configs.Config, mesh: Mesh) -> models.ModelOptions:
    """How the model computes, as `models.load` and `models.init` take it."""
    return {
        "compute_dtype": jnp.dtype(config.model.compute_dtype),
        "param_dtype": jnp.dtype(config.model.param_dtype),
        "remat": config.model.remat,
        "constrain": parallel.Layout(mesh),
        "attend": attention(config.model.attention, mesh),
    }


def attention(kind: str, mesh: Mesh) -> Callable[..., jax.Array]:
    """How scoring and update attend, see `config.Model.attention`."""
    if kind == "plain":
        return models.attend
    platform = mesh.devices.flat[0].platform
    if kind == "splash":
        kernel = models.Splash(interpret=platform != "tpu")
    else:
        kernel = models.CuDNN("cudnn" if platform == "gpu" else "xla")
    return parallel.MapHeads(kernel, models.attend, mesh)


def random_model(config: configs.Config, task: Vocabulary) -> models.ModelConfig:
    """The shape of a model of random weights, in the task's vocabulary."""
    shape = config.model.architecture
    return models.ModelConfig(
        **shape.model_dump(),
        vocab_size=task.vocab_size,
        head_dim=shape.hidden_size // shape.num_heads,
        max_positions=config.rollout.max_prompt_length + config.rollout.max_completion_length,
        eos_ids=task.stop_ids,
        pad_id=task.pad_id,
    )


def open_task(
    config: configs.Config,
    loaded: models.Loaded | models.Described | None,
    *,
    trains: bool = True,
) -> Task:
    """The task, with the model's tokenizer where it is one of text. A collective."""
    room = loaded.config.max_positions if loaded else None
    length = config.rollout.max_prompt_length + config.rollout.max_completion_length
    if room is not None and length > room:
        raise ConfigError(
            f"rollout.max_prompt_length + rollout.max_completion_length is {length}, but the model "
            f"has positions for {room}"
        )
    task = make_task(
        config.task,
        _setting(config, loaded, trains=trains),
        config.reward,
        beside=_beside(config, loaded),
    )
    if config.eval.exact and not isinstance(task, Enumerable):
        task.close()
        raise ConfigError(
            f"eval.exact: the task {config.task.use!r} cannot list its right completions: leave "
            "eval.exact false, or take one that can, such as programs or brackets"
        )
    # Of a task of one's own that says nothing of it, the first step will tell.
    if "modes" in reads(config) and not getattr(task, "tells_modes", True):
        task.close()
        raise ConfigError(
            f"the loss reads modes, and the task {config.task.use!r} tells no ways of being right "
            "apart: take one that does, such as programs, brackets or arithmetic, or give your "
            "ProblemSet a mode"
        )
    return task


def open_suite(
    config: configs.Config, loaded: models.Loaded | models.Described | None, place: int
) -> Task:
    """The task of one of `eval.suites`, by its place. A collective."""
    suite = config.eval.suites[place]
    field = f"eval.suites.{place}"
    return make_task(
        suite.as_task(config.task),
        _setting(config, loaded, trains=False),
        suite.reward,
        field=field,
        rewards_field=f"{field}.reward",
        to_train=False,
    )


def open_demonstrations(config: configs.Config, base: Base) -> Task:
    """What a warm-up shows: the task itself, or the one that `warmup.task` names. A collective."""
    suite, known = config.warmup.task, getattr(base.task, "problems", None)
    if suite is None:
        return base.task
    setting = _setting(config, base.loaded, trains=False)
    held_out = known.held_out if isinstance(known, Split) else ()
    others = [*held_out, *_beside(config, base.loaded).others]
    return make_task(
        suite.as_task(config.task),
        setting,
        suite.reward,
        field="warmup.task",
        rewards_field="warmup.task.reward",
        beside=Beside(others=others),
    )


def _beside(config: configs.Config, loaded: models.Loaded | models.Described | None) -> Beside:
    """The problems of other tasks that a config evaluates on."""
    setting = _setting(config, loaded, trains=False)

    def problems(suite: SuiteSpec, field: str) -> Sequence[Problem]:
        return held_out_problems(suite.as_task(config.task), setting, field=field)

    others = [
        one
        for place, suite in enumerate(config.eval.suites)
        for one in problems(suite, f"eval.suites.{place}")
    ]
    held_out = config.eval.held_out and problems(config.eval.held_out, "eval.held_out")
    return Beside(held_out, others)


def reads(config: configs.Config) -> frozenset[str]:
    """What training reads of problems: columns of the data by name, and `modes`."""
    by_rule = {"modes" for rule in config.loss.advantage if rule.use == "rare_by_mode"}
    return make_loss(config).needs & {*COLUMNS, "modes"} | by_rule


def _setting(
    config: configs.Config,
    loaded: models.Loaded | models.Described | None,
    *,
    trains: bool,
) -> Setting:
    tokenizer: Any = loaded.tokenizer if loaded else None
    ends = loaded.config.eos_ids if loaded else ()
    own = () if tokenizer is None else (tokenizer.eos_token_id,)
    return Setting(
        seed=config.seed,
        tokenizer=tokenizer,
        max_prompt_length=config.rollout.max_prompt_length,
        max_completion_length=config.rollout.max_completion_length,
        stop_ids=(*ends, *(one for one in own if one is not None)),
        embeddings=loaded.config.vocab_size if loaded else None,
        rates=reads(config) & COLUMNS if trains else None,
    )
