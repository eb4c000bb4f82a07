"""From a config to everything a run works with: mesh, task, model and learner."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from sage_jax import config as configs
from sage_jax import models, parallel
from sage_jax.config import ConfigError
from sage_jax.data.make_task import make_task
from sage_jax.data.tasks import Setting, Task, Vocabulary
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.learner import Learner
from sage_jax.learn.optimizer import make_optimizer, make_schedule
from sage_jax.learn.placement import place
from sage_jax.learn.policy import LoRA, Policy, placer
from sage_jax.learn.state import TrainState
from sage_jax.rollout import Decoding, Rollout, StopTable, generate
from sage_jax.train import objective
from sage_jax.train.mesh import open_mesh, settle_mesh
from sage_jax.train.step import Step


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


def open_base(config: configs.Config, source: str, *, task: Task | None = None) -> Base:
    """Load the model to start from, and open the task in its vocabulary unless it is given.

    Raises:
        ConfigError: if the model, the task and the config do not fit each other.
    """
    config, why = settle_mesh(config, lambda: models.read_config(source))
    mesh = open_mesh(config)
    parallel.connect(mesh)
    loaded = models.load(source, place=placer(mesh), **model_knobs(config, mesh))
    return Base(loaded, task or open_task(config, loaded), mesh, why)


def open_random(config: configs.Config, key: jax.Array) -> Base:
    """A model of random weights in the vocabulary of its task."""
    task = open_task(config, None)
    shape = random_model(config, task)
    config, why = settle_mesh(config, lambda: shape)
    mesh = open_mesh(config)
    parallel.connect(mesh)
    graphdef, params = models.init(shape, key, **model_knobs(config, mesh))
    return Base(models.Loaded(graphdef, place(mesh, params), shape, None), task, mesh, why)


def with_params(base: Base, params: Any) -> Base:
    """The same model with other weights."""
    return dataclasses.replace(base, loaded=dataclasses.replace(base.loaded, params=params))


def model_knobs(config: configs.Config, mesh: Mesh) -> models.Knobs:
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
        tie_embeddings=True,
        max_positions=config.rollout.max_prompt_length + config.rollout.max_completion_length,
        eos_ids=task.stop_ids,
        pad_id=task.pad_id,
    )


def open_task(config: configs.Config, loaded: models.Loaded | None) -> Task:
    """The task, with the model's tokenizer where it is one of text. A collective."""
    room = loaded.config.max_positions if loaded else None
    length = config.rollout.max_prompt_length + config.rollout.max_completion_length
    if room is not None and length > room:
        raise ConfigError(
            f"rollout.max_prompt_length + rollout.max_completion_length is {length}, but the model "
            f"has positions for {room}"
        )
    return make_task(config.task, _setting(config, loaded), config.reward)


def _setting(config: configs.Config, loaded: models.Loaded | None) -> Setting:
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
    )


def make_policy(config: configs.Config, base: Placed) -> Policy:
    """The base as a policy to train; its params may be shapes with shardings."""
    lora = config.lora
    adapters = LoRA(lora.rank, lora.alpha, lora.targets) if lora.rank else None
    return Policy(base.loaded, base.mesh, adapters, jnp.dtype(config.model.compute_dtype))


def make_learner(config: configs.Config, base: Placed) -> Learner:
    """What is fixed while a config trains."""
    options = config.optimizer
    # What is taken off the rewards is computed before the update.
    before = True if config.loss.kl_in_reward else None
    return Learner(
        make_policy(config, base),
        loss=objective.make_loss(config),
        optimizer=_optimizer(config, learning_rate(config)),
        advantages=objective.make_advantages(config),
        temperature=config.rollout.temperature,
        micro_batch=options.micro_batch,
        num_minibatches=options.num_minibatches,
        epochs=options.epochs,
        packing=options.packing and config.model.attention == "plain",
        old_logps=before,
        reference=before,
        top_entropy_quantile=config.loss.top_entropy_quantile,
    )


def start(config: configs.Config, base: Base, root: jax.Array) -> tuple[Learner, TrainState]:
    """A learner and its state before the first update, which takes the base's weights over."""
    learner = make_learner(config, base)
    return learner, first_state(learner, root)


def first_state(learner: Learner, root: jax.Array) -> TrainState:
    """The state before the first update, which takes the base's weights over."""
    return learner.init(derive(root, Purpose.ADAPTERS), donate=True)


def make_step(config: configs.Config, base: Base, learner: Learner) -> Step:
    """What takes the steps of a run.

    Raises:
        ConfigError: if a string of `rollout.stop` cannot end a completion of this model.
    """
    options = config.rollout
    found = decoding(config, base.task)
    filled(learner.policy, found)  # Refused here, before the first step.
    return Step(
        learner,
        base.task,
        found,
        root=jax.random.key(config.seed),
        num_prompts=options.num_prompts,
        dynamic_sampling=options.dynamic_sampling,
        chunks=options.chunks,
    )


def learning_rate(config: configs.Config) -> optax.Schedule:
    """The learning rate by number of updates."""
    knobs = config.optimizer
    return make_schedule(
        knobs.schedule,
        knobs.learning_rate,
        warmup_steps=knobs.warmup_steps,
        total_steps=config.total_updates,
        end_factor=knobs.end_factor,
    )


def _optimizer(config: configs.Config, schedule: optax.Schedule) -> optax.GradientTransformation:
    knobs = config.optimizer
    return make_optimizer(
        schedule,
        b1=knobs.b1,
        b2=knobs.b2,
        eps=knobs.eps,
        weight_decay=knobs.weight_decay,
        clip_norm=knobs.clip_norm,
        # Adapters are float32 whatever they are added to.
        dtype=jnp.float32 if config.lora.rank else config.model.param_dtype,
    )


def decoding(config: configs.Config, task: Vocabulary) -> Decoding:
    """How a config samples while training."""
    options = config.rollout
    return Decoding(
        group_size=options.group_size,
        max_completion_length=options.max_completion_length,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        stop=options.stop,
        stop_ids=task.stop_ids,
        pad_id=task.pad_id,
        compactions=options.compactions,
        cache_doublings=options.cache_doublings,
    )


def filled(policy: Policy, options: Decoding) -> tuple[Decoding, StopTable | None]:
    """`policy.decoding` of options from a config.

    Raises:
        ConfigError: if a string of `rollout.stop` cannot end a completion of this model.
    """
    try:
        return policy.decoding(options)
    except ValueError as error:
        raise ConfigError(f"rollout.{error}") from None


def sampler(policy: Policy, options: Decoding) -> Callable[..., Rollout]:
    """(graphdef, params, prompt_tokens, prompt_mask, key) -> Rollout with everything else fixed."""
    found, table = filled(policy, options)

    def run(graphdef: Any, params: Any, tokens: Any, mask: Any, key: jax.Array) -> Rollout:
        return generate(
            graphdef, params, tokens, mask, key, found, stop_table=table, mesh=policy.mesh
        )

    return run
