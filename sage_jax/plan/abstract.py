"""The steps of a run as programs over shapes: nothing is downloaded, computed or allocated."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding

from sage_jax import config as configs
from sage_jax import models, parallel, setup
from sage_jax.config import ConfigError
from sage_jax.data.tasks import Vocabulary
from sage_jax.learn.learner import Learner
from sage_jax.learn.packing import Packing
from sage_jax.learn.placement import keep_sharding, place_abstract, with_shardings
from sage_jax.learn.refusals import OUTCOME
from sage_jax.parallel import MeshError
from sage_jax.plan.shapes import model_shape
from sage_jax.rollout import Decoding, Rollout


@dataclasses.dataclass(frozen=True)
class TextVocabulary:
    """The ids of a task in words, whose problems no compiled step knows.

    Attributes:
        vocab_size: of the model.
        stop_ids: tokens that end a completion.
        pad_id: token that fills what the masks leave out.
    """

    vocab_size: int
    stop_ids: tuple[int, ...]
    pad_id: int = 0


@dataclasses.dataclass(frozen=True)
class Program:
    """One step before it is compiled.

    Attributes:
        name: "rollout", "logprobs" or "update".
        function: jitted.
        arguments: shapes with shardings.
        batch: the last of them, which only this step sees.
    """

    name: str
    function: Any
    arguments: tuple[Any, ...]
    batch: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Abstract:
    """A run without its arrays.

    Attributes:
        config: the run's.
        shape: the model's.
        mesh: where the arrays would lie.
        learner: its policy's weights are shapes.
        task: what the steps are told of it.
    """

    config: configs.Config
    shape: models.ModelConfig
    mesh: Mesh
    learner: Learner
    task: Vocabulary

    @property
    def kept(self) -> dict[str, Any]:
        """What lies on the chips through the whole run, by name."""
        layout = self.learner.layout
        kept = {"trained": layout.trained, "optimiser": layout.opt_state}
        return kept if self.learner.frozen is None else kept | {"frozen": self.learner.frozen}

    def decoding(self) -> Decoding:
        """How the run samples; without stop strings, whose tables are a few megabytes."""
        options = dataclasses.replace(setup.decoding(self.config, self.task), stop=())
        return self.learner.policy.decoding(options)[0]

    def rollout(self) -> Program:
        """Sampling, prefill and decoding."""
        batch = (*self._prompts(), self._key())
        arguments = (self.learner.layout.trained, self.learner.frozen, *batch)
        complete = functools.partial(self.learner.rollout, decoding=self.decoding())
        function = jax.jit(complete, out_shardings=self._by_row)
        return Program("rollout", function, arguments, batch)

    def logprobs(self) -> Program:
        """Log-probabilities of the reference, and of the policy where they are needed."""
        batch = (self._rollout(), self._packing())
        arguments = (self.learner.layout.trained, self.learner.frozen, *batch)
        return Program("logprobs", jax.jit(self.learner.logprobs), arguments, batch)

    def update(self, terms_shardings: Any = None) -> Program:
        """All updates on one rollout.

        Args:
            terms_shardings: how `logprobs` leaves the terms; by rows unless given.
        """
        terms = jax.eval_shape(self.learner.logprobs, *self.logprobs().arguments)
        shardings = terms_shardings or jax.tree.map(lambda _: self._by_row, terms)
        terms = dataclasses.replace(with_shardings(terms, shardings), **self._told())
        batch = (self._rollout(), terms, self._key(), self._scalar(), self._packing())
        layout = self.learner.layout
        function = keep_sharding(self.learner.learn, layout)
        arguments = (layout, self.learner.frozen, *batch)
        return Program("update", function, arguments, batch)

    def _told(self) -> dict[str, Any]:
        """What is known of completions by then, by fields of `Terms`."""
        needs = getattr(self.learner.loss, "needs", frozenset())
        kinds = {"rewards": jnp.float32, "right": jnp.float32}
        # Modes for rules of advantages, which say no more than that they read the terms.
        kinds |= {name: kind for name, kind in OUTCOME.items() if name in {*needs, "modes"}}
        return {n: self._array((self._rows,), kind, self._by_row) for n, kind in kinds.items()}

    def most_passes(self) -> int:
        """Passes of one update over completions that share rows, or 0 where they do not."""
        packing = self._full()
        return 0 if packing is None else int(packing.passes.max())

    def _full(self) -> Packing | None:
        """How completions of full length share rows.

        Other lengths are compiled alike where a pass has no room for a whole group.
        """
        lengths = np.full(self._rows, self.config.rollout.max_completion_length)
        return self.learner.pack(lengths, self._rollout())

    def _packing(self) -> Any:
        whole = parallel.replicated(self.mesh)
        return jax.tree.map(lambda x: self._array(x.shape, x.dtype, whole), self._full())

    @property
    def _rows(self) -> int:
        return self.config.rollout.num_completions

    @property
    def _by_row(self) -> NamedSharding:
        # As the trainer lays rollouts out: by whole groups.
        return parallel.batch_sharding(self.mesh, self.config.rollout.num_prompts)

    def _array(self, shape: tuple[int, ...], dtype: Any, sharding: Any) -> Any:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)

    def _key(self) -> Any:
        key = jax.eval_shape(jax.random.key, 0)
        return self._array(key.shape, key.dtype, parallel.replicated(self.mesh))

    def _scalar(self) -> Any:
        return self._array((), jnp.int32, parallel.replicated(self.mesh))

    def _prompts(self) -> tuple[Any, Any]:
        shape = (self.config.rollout.num_prompts, self.config.rollout.max_prompt_length)
        return (
            self._array(shape, jnp.int32, self._by_row),
            self._array(shape, jnp.bool_, self._by_row),
        )

    def _rollout(self) -> Rollout:
        def rows(dtype: Any) -> Any:
            length = self.config.rollout.max_completion_length
            return self._array((self._rows, length), dtype, self._by_row)

        finish = self._array((self._rows,), jnp.int32, self._by_row)
        return Rollout(
            *self._prompts(), rows(jnp.int32), rows(jnp.float32), rows(jnp.float32), finish
        )


def open_abstract(config: configs.Config, devices: Sequence[Any]) -> Abstract:
    """The steps of a config over a mesh of the given devices.

    Raises:
        ConfigError: if the mesh does not fit the batch, or the lengths the model.
        MeshError: if the mesh leaves devices out.
        ModelError: if the model's shape cannot be found.
    """
    mesh = setup.open_mesh(config, devices)
    if mesh.size != len(devices):
        raise MeshError(
            f"mesh: data, fsdp and tensor take {mesh.size} of the slice's {len(devices)} devices; "
            "one axis may be -1, all that is left"
        )
    shape, task = shape_and_task(config)
    _check_length(config, shape)
    graphdef, params = models.abstract(shape, **setup.model_options(config, mesh))
    loaded = models.Loaded(graphdef, place_abstract(mesh, params), shape, None)
    learner = setup.make_learner(config, _Placed(loaded, mesh))
    return Abstract(config, shape, mesh, learner, task)


class _Placed(NamedTuple):
    loaded: models.Loaded
    mesh: Mesh


def shape_and_task(config: configs.Config) -> tuple[models.ModelConfig, Vocabulary]:
    """The model's sizes, and as much of the task as a compiled step knows."""
    if config.model.source == "random":
        with contextlib.closing(setup.open_task(config, None)) as task:
            return setup.random_model(config, task), task
    shape = model_shape(config.model.source)
    return shape, TextVocabulary(shape.vocab_size, shape.eos_ids or (0,), shape.pad_id or 0)


def _check_length(config: configs.Config, shape: models.ModelConfig) -> None:
    length = config.rollout.max_prompt_length + config.rollout.max_completion_length
    if length > shape.max_positions:
        raise ConfigError(
            f"rollout.max_prompt_length + rollout.max_completion_length is {length}, but the model "
            f"has positions for {shape.max_positions}"
        )


def programs(run: Abstract) -> list[tuple[str, Callable[[dict[str, Any]], Program]]]:
    """The steps in their order; each is made from the compiled ones before it, by name."""

    def update(compiled: dict[str, Any]) -> Program:
        before = compiled.get("logprobs")
        return run.update(before.output_shardings if before is not None else None)

    return [
        ("rollout", lambda compiled: run.rollout()),
        ("logprobs", lambda compiled: run.logprobs()),
        ("update", update),
    ]
