"""From a config to everything a run works with: mesh, task, model, policy and steps."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from sage_jax import config as configs
from sage_jax import models, parallel, rollout
from sage_jax.config import ConfigError
from sage_jax.data.make_task import make_task
from sage_jax.data.tasks import Task
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.learner import Steps
from sage_jax.learn.optimizer import make_optimizer, make_schedule
from sage_jax.learn.policy import Policy
from sage_jax.learn.shards import Shards
from sage_jax.learn.state import TrainState
from sage_jax.train import objective
from sage_jax.train.checkpoint import shapes
from sage_jax.train.mesh import open_mesh, settle_mesh
from sage_jax.train.stops import stops


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


@dataclasses.dataclass(frozen=True)
class Start:
    """A policy ready to be trained.

    Attributes:
        steps: the pure steps.
        layout: shapes and shardings of the state.
        frozen: see `Policy`.
        learning_rate: by number of updates.
    """

    steps: Steps
    layout: TrainState
    frozen: Any
    learning_rate: optax.Schedule

    def decoder(self, trained: Any) -> tuple[Any, Any]:
        """The policy as (graphdef, params) for decoding."""
        return self.steps.policy.decoder(trained, self.frozen)


def open_base(config: configs.Config, source: str, *, task: Task | None = None) -> Base:
    """Load the model to start from, and open the task in its vocabulary unless it is given.

    Raises:
        ConfigError: if the model, the task and the config do not fit each other.
    """
    config, why = settle_mesh(config, lambda: models.read_config(source))
    mesh = open_mesh(config)
    parallel.connect(mesh)
    loaded = models.load(source, place=_placer(mesh), **model_knobs(config, mesh))
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


def random_model(config: configs.Config, task: Task) -> models.ModelConfig:
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
    """The task, with the model's tokenizer where it is one of text."""
    task = make_task(
        config.task.kind,
        seed=config.seed,
        tokenizer=loaded.tokenizer if loaded else None,
        stop_ids=loaded.config.eos_ids if loaded else (),
        embeddings=loaded.config.vocab_size if loaded else None,
        max_prompt_length=config.rollout.max_prompt_length,
        max_completion_length=config.rollout.max_completion_length,
        **config.task.model_dump(exclude={"kind", "max_lost"}),
    )
    room = loaded.config.max_positions if loaded else None
    length = config.rollout.max_prompt_length + config.rollout.max_completion_length
    if room is not None and length > room:
        raise ConfigError(
            f"rollout.max_prompt_length + rollout.max_completion_length is {length}, but the model "
            f"has positions for {room}"
        )
    return task


def place(mesh: Mesh, params: Any) -> Any:
    """Parameters laid over the mesh by the table of axes."""
    return parallel.spread(params, parallel.shardings(mesh, params, models.logical_axes(params)))


def _placer(mesh: Mesh) -> Callable[..., jax.Array]:
    def put(axes, array):
        return parallel.spread(array, parallel.shardings(mesh, [array], [axes])[0])

    return put


def start(config: configs.Config, base: Base, root: jax.Array) -> tuple[Start, TrainState]:
    """The policy, its reference and the optimiser, and the state before the first update."""
    loaded = base.loaded
    if config.lora.rank:
        graphdef, adapters = _attach(config, loaded, derive(root, Purpose.ADAPTERS))
        policy = _adapted(config, loaded, graphdef)
        trained, frozen = place(base.mesh, adapters), loaded.params
    else:
        policy = Policy(loaded.graphdef, loaded.graphdef)
        # Training gives the weights' memory away, so that the reference must be a copy.
        frozen = jax.tree.map(jnp.copy, loaded.params) if config.loss.kl_coef > 0 else None
        trained = loaded.params
    schedule = _schedule(config)
    optimizer = _optimizer(config, schedule)
    state = create_state(trained, optimizer, base.mesh)
    steps = _steps(config, base, policy, optimizer)
    return Start(steps, shapes(state), frozen, schedule), state


def start_abstract(config: configs.Config, base: Base) -> Start:
    """`start` of a base whose params are shapes with shardings: nothing is computed or held."""
    loaded = base.loaded
    if config.lora.rank:
        graphdefs = []

        def attach(key: jax.Array) -> Any:
            graphdef, adapters = _attach(config, loaded, key)
            graphdefs.append(graphdef)
            return adapters

        adapters = jax.eval_shape(attach, jax.random.key(0))
        policy = _adapted(config, loaded, graphdefs[0])
        trained, frozen = place_abstract(base.mesh, adapters), loaded.params
    else:
        policy = Policy(loaded.graphdef, loaded.graphdef)
        trained, frozen = loaded.params, loaded.params if config.loss.kl_coef > 0 else None
    schedule = _schedule(config)
    optimizer = _optimizer(config, schedule)
    moments = with_shardings(
        jax.eval_shape(optimizer.init, trained), _moment_shardings(trained, optimizer, base.mesh)
    )
    whole = parallel.replicated(base.mesh)
    updates: Any = jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
    layout = TrainState(trained, moments, updates)
    return Start(_steps(config, base, policy, optimizer), layout, frozen, schedule)


def place_abstract(mesh: Mesh, params: Any) -> Any:
    """Shapes with the shardings that `place` would give them."""
    return with_shardings(params, parallel.shardings(mesh, params, models.logical_axes(params)))


def with_shardings(tree: Any, shardings: Any) -> Any:
    """Shapes with the given shardings."""
    return jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), tree, shardings
    )


def _attach(config: configs.Config, loaded: models.Loaded, key: jax.Array) -> tuple[Any, Any]:
    targets = config.lora.targets
    return models.lora.attach(
        loaded.graphdef,
        loaded.params,
        key,
        rank=config.lora.rank,
        alpha=config.lora.alpha,
        targets="all-linear" if "all-linear" in targets else targets,
    )


def _adapted(config: configs.Config, loaded: models.Loaded, graphdef: Any) -> Policy:
    exact = config.model.compute_dtype == config.model.param_dtype == "float32"
    return Policy(graphdef, loaded.graphdef, config.lora.alpha, exact)


def create_state(trained: Any, optimizer: optax.GradientTransformation, mesh: Mesh) -> TrainState:
    """A fresh state whose moments lie where their weights do."""
    moments = _moment_shardings(trained, optimizer, mesh)
    opt_state = jax.jit(optimizer.init, out_shardings=moments)(trained)
    updates = parallel.spread(np.zeros((), np.int32), parallel.replicated(mesh))
    return TrainState(trained, opt_state, updates)


def _moment_shardings(trained: Any, optimizer: optax.GradientTransformation, mesh: Mesh) -> Any:
    shardings = jax.tree.map(lambda x: x.sharding, trained)
    abstract = jax.eval_shape(optimizer.init, trained)
    whole = parallel.replicated(mesh)
    return optax.tree_utils.tree_map_params(
        optimizer, lambda _, s: s, abstract, shardings, transform_non_params=lambda _: whole
    )


def keep_sharding(step: Callable[..., Any], like: TrainState, **static: Any) -> Any:
    """A jitted step that takes a state's memory over and returns the next one laid out as `like`.

    Args:
        step: (state, ...) -> (next state, ...).
        like: a state, or its shapes.
        static: arguments of `step` that are fixed.
    """
    layout = jax.tree.map(lambda x: x.sharding, like)

    def run(state, *args):
        state, *rest = step(state, *args, **static)
        return jax.lax.with_sharding_constraint(state, layout), *rest

    return jax.jit(run, donate_argnums=0)


def _schedule(config: configs.Config) -> optax.Schedule:
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


def _steps(
    config: configs.Config, base: Base, policy: Policy, optimizer: optax.GradientTransformation
) -> Steps:
    rows = config.rollout.num_prompts * config.rollout.group_size
    knobs = config.optimizer
    return Steps(
        policy=policy,
        loss=objective.make_loss(config),
        advantages=objective.make_advantages(config),
        optimizer=optimizer,
        sampler=sampler(
            base,
            config.rollout,
            group_size=config.rollout.group_size,
            temperature=config.rollout.temperature,
            top_k=config.rollout.top_k,
            top_p=config.rollout.top_p,
            min_p=config.rollout.min_p,
            cache_dtype=jnp.dtype(config.model.compute_dtype),
        ),
        temperature=config.rollout.temperature,
        micro_batch=knobs.micro_batch or rows // knobs.num_minibatches,
        share_rows=knobs.packing and config.model.attention == "plain",
        shards=Shards.of(base.mesh, base.loaded.config.vocab_size),
        num_minibatches=knobs.num_minibatches,
        epochs=knobs.epochs,
        needs_policy=objective.needs_policy_scores(config),
        needs_reference=config.loss.kl_coef > 0,
        full_vocabulary=config.loss.kl_coef > 0
        and config.loss.kl_estimator in ("exact", "forward_exact"),
        top_entropy_quantile=config.loss.top_entropy_quantile,
    )


# For completions shorter than this, loops over smaller batches and shorter caches are not worth
# their compilation.
_LONG = 64


def sampler(base: Base, knobs: configs.Rollout, **own: Any) -> Callable[..., rollout.Rollout]:
    """(graphdef, params, prompt_tokens, prompt_mask, key) -> Rollout with everything else fixed.

    Args:
        base: model, task and mesh.
        knobs: of which lengths, stop strings and the way of decoding are taken.
        own: all else that `rollout.generate` asks for.
    """
    loaded = base.loaded
    stop_ids, table = stops(
        base.task.stop_ids, knobs.stop, loaded.tokenizer, vocab_size=loaded.config.vocab_size
    )
    return functools.partial(
        rollout.generate,
        max_completion_length=knobs.max_completion_length,
        stop_ids=stop_ids,
        stop_table=table,
        pad_id=base.task.pad_id,
        mesh=base.mesh,
        **way_of_decoding(base.mesh, knobs),
        **own,
    )


def way_of_decoding(mesh: Mesh, knobs: configs.Rollout) -> dict[str, Any]:
    """What of `rollout.generate` makes it fast and changes no result."""
    on_cpu = parallel.on_cpu(mesh)
    on_long = {"compactions": 3, "cache_doublings": 2}
    usual = (
        on_long if on_cpu and knobs.max_completion_length >= _LONG else dict.fromkeys(on_long, 0)
    )
    asked = {name: getattr(knobs, name) for name in usual}
    return {"unroll": on_cpu, **{n: usual[n] if asked[n] is None else asked[n] for n in usual}}
