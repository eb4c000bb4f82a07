"""The policy: module, weights, tokenizer, reference and mesh as one value."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Mesh
from jax.typing import DTypeLike

from sage_jax import models, parallel
from sage_jax.data import Problem, render
from sage_jax.data.problem import DataError
from sage_jax.data.spelling import Spelling
from sage_jax.data.tasks import Prompts
from sage_jax.data.turns import read_turns
from sage_jax.learn.modules import Modules
from sage_jax.learn.placement import place, place_abstract, shapes
from sage_jax.learn.stops import stops
from sage_jax.rollout import (
    Decoding,
    Rollout,
    StopTable,
    completion_ids,
    pack_prompts,
    padded_length,
)
from sage_jax.telling import brief

# For completions shorter than this, loops over smaller batches and shorter caches are not worth
# their compilation.
_LONG = 64


@dataclasses.dataclass(frozen=True)
class LoRA:
    """Low-rank adapters, see `models.lora.attach`.

    Attributes:
        rank: width r of each adapter.
        alpha: adapters are scaled by alpha / rank.
        targets: layers that get one; `all-linear` for all.
    """

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = ("all-linear",)


@dataclasses.dataclass(frozen=True, eq=False)
class Policy:
    """A model that is to be trained; its weights, as they are here, also are the reference.

    Attributes:
        loaded: graphdef, params (arrays over the mesh, or their shapes), config and tokenizer.
        mesh: devices as data x fsdp x tensor.
        lora: the adapters to train; None trains all weights.
        compute_dtype: of activations and of the cache.
    """

    loaded: models.Loaded
    mesh: Mesh
    lora: LoRA | None = None
    compute_dtype: DTypeLike = jnp.float32

    @property
    def params(self) -> Any:
        """The weights that training starts from."""
        return self.loaded.params

    @property
    def tokenizer(self) -> Any:
        """A transformers tokenizer, or None."""
        return self.loaded.tokenizer

    @functools.cached_property
    def modules(self) -> Modules:
        """The static half: which module is called on which arrays."""
        graphdef = self.loaded.graphdef
        if self.lora is None:
            return Modules(graphdef, graphdef)
        dtypes = {jnp.dtype(self.compute_dtype), *(x.dtype for x in jax.tree.leaves(self.params))}
        return Modules(
            self._abstract[0], graphdef, self.lora.alpha, dtypes == {jnp.dtype(jnp.float32)}
        )

    @property
    def abstract(self) -> Any:
        """Shapes and shardings of the arrays that are trained."""
        return self._abstract[1]

    @functools.cached_property
    def _abstract(self) -> tuple[nnx.GraphDef, Any]:
        if self.lora is None:
            return self.loaded.graphdef, shapes(self.params)
        graphdefs = []

        def attach(key: jax.Array) -> Any:
            graphdef, adapters = self._attach(key)
            graphdefs.append(graphdef)
            return adapters

        adapters = jax.eval_shape(attach, jax.random.key(0))
        return graphdefs[0], place_abstract(self.mesh, adapters)

    def trained(self, key: jax.Array) -> Any:
        """The arrays that are trained, as they are at the start: new adapters, or all weights."""
        return self.params if self.lora is None else place(self.mesh, self._attach(key)[1])

    def _attach(self, key: jax.Array) -> tuple[nnx.GraphDef, Any]:
        assert self.lora is not None
        return models.lora.attach(
            self.loaded.graphdef,
            self.params,
            key,
            rank=self.lora.rank,
            alpha=self.lora.alpha,
            targets="all-linear" if "all-linear" in self.lora.targets else self.lora.targets,
        )

    def decoding(self, decoding: Decoding) -> tuple[Decoding, StopTable | None]:
        """What is None in the options filled in for this model and mesh, and its stop strings.

        On CPU layers are unrolled, and from 64 tokens on the batch is compacted and the cache
        grown: memory is what accelerators lack for that.

        Raises:
            ValueError: a stop string is a token that the model does not have, or there is no
                tokenizer to read stop strings by.
        """
        shape = self.loaded.config
        on_cpu = parallel.on_cpu(self.mesh)
        long = on_cpu and decoding.max_completion_length >= _LONG
        ends = decoding.stop_ids
        if ends is None:
            ends = shape.eos_ids if self.tokenizer is None else self._ends
        ids, table = stops(ends, decoding.stop, self.tokenizer, vocab_size=shape.vocab_size)
        filled = dataclasses.replace(decoding, stop=(), stop_ids=ids).filled(
            pad_id=ids[0] if ids else 0,
            cache_dtype=self.compute_dtype,
            unroll=on_cpu,
            compactions=3 if long else 0,
            cache_doublings=2 if long else 0,
        )
        return filled, table

    def encode(
        self,
        problems: Sequence[Problem | str],
        *,
        system_prompt: str | None = None,
        instruction: str = "",
        max_prompt_length: int | None = None,
    ) -> Prompts:
        """Problems, or plain strings, as prompts by the tokenizer's chat template.

        Args:
            problems: what to ask.
            system_prompt: None leaves the template's own.
            instruction: said below each problem.
            max_prompt_length: tokens; longer prompts are left out and counted.

        Raises:
            DataError: the template does not write the problem, no prompt is short enough, or
                there is none, or something else than strings and problems.
        """
        asked = _asked(problems)
        ids = [
            render(
                self.tokenizer,
                problem,
                system_prompt=system_prompt,
                answer_instruction=instruction,
                spelling=self._spelling,
            )
            for problem in asked
        ]
        longest = max(map(len, ids))
        length = max_prompt_length or padded_length(longest)
        packed = pack_prompts(ids, max_prompt_length=length, pad_id=0)
        kept = packed.kept
        return Prompts(
            [asked[i].id for i in kept],
            packed.tokens,
            packed.mask,
            packed.dropped,
            tuple(problems[i] for i in kept),
        )

    def texts(self, rollout: Rollout) -> list[str]:
        """The B completions as text, behind what the template began the model's turn with.

        Without special tokens but for the tags around thoughts and answers.
        """
        return [self._turns.opened + self._spelling.text(ids) for ids in completion_ids(rollout)]

    @functools.cached_property
    def _spelling(self) -> Spelling:
        if self.tokenizer is None:
            raise ValueError("this model has no tokenizer: give prompts as token ids")
        return Spelling(self.tokenizer)

    @functools.cached_property
    def _turns(self) -> Any:
        return read_turns(self.tokenizer, self._spelling)

    @property
    def _ends(self) -> tuple[int, ...]:
        """Tokens that end a turn: the template's, the config's and the tokenizer's."""
        shape = self.loaded.config
        named = (self._turns.end_id, *shape.eos_ids, self.tokenizer.eos_token_id)
        known = (one for one in named if one is not None and one < shape.vocab_size)
        return tuple(dict.fromkeys(known))


def _asked(problems: Sequence[Problem | str]) -> list[Problem]:
    if isinstance(problems, str | Problem):
        raise DataError(f"encode takes a list, got {brief(problems)}: put it into brackets")
    for problem in (problems,) if isinstance(problems, Mapping) else problems:
        if not isinstance(problem, str | Problem):
            raise DataError(f"encode takes strings or sj.Problem, got {type(problem).__name__}")
    if not len(problems):
        raise DataError("encode got an empty list; at least one problem is needed")
    return [
        Problem(id=f"prompt-{i}", problem=p, answer="") if isinstance(p, str) else p
        for i, p in enumerate(problems)
    ]


def load(
    source: str | Path,
    *,
    lora: LoRA | None = None,
    mesh: Mesh | None = None,
    compute_dtype: DTypeLike = jnp.float32,
    param_dtype: DTypeLike = jnp.float32,
    **options: Any,
) -> Policy:
    """Load a pretrained model as a policy to train.

    Args:
        source: see `models.load`: a folder, a `.gguf` file, `package:NAME` or a hub id.
        lora: adapters to train; None trains all weights.
        mesh: from `parallel.make_mesh`; default all devices along `data`.
        compute_dtype: of activations and matrix products.
        param_dtype: of the weights.
        options: further ones of `models.ModelOptions`, such as `remat`.

    Raises:
        ModelError: the source is not there, or holds something unsupported.
    """
    mesh = parallel.make_mesh() if mesh is None else mesh
    options = {"remat": "dots", "constrain": parallel.Layout(mesh)} | options
    loaded = models.load(
        source,
        place=placer(mesh),
        compute_dtype=compute_dtype,
        param_dtype=param_dtype,
        **options,
    )
    return Policy(loaded, mesh, lora, compute_dtype)


def placer(mesh: Mesh) -> Any:
    """(logical axes, host array) -> the array over the mesh, as `models.load` takes it."""

    def put(axes: Any, array: Any) -> jax.Array:
        return parallel.shard(array, parallel.shardings(mesh, [array], [axes])[0])

    return put
