"""Problems as a TensorFlow Datasets builder: ArrayRecord files, random access, no TensorFlow."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from tensorflow_datasets.core import registered

from sage_jax.data.problem import Problem

_FIELDS = ("id", "problem", "answer", "source", "solution")
_EXTRA = "extra"  # The other columns, as the text of a JSON object.

Read = Callable[[Any], Mapping[str, Sequence[Problem]]]
"""(TFDS's download manager) -> the problems of each split; called once, to prepare them."""


@dataclass(frozen=True)
class Recipe:
    """What a builder is told of its data.

    Attributes:
        name: of the folder of the prepared data, beside those of other TFDS data sets.
        version: as in 1.0.0; another one is prepared beside it.
        read: see `Read`.
        description, homepage, citation, licence: kept beside the data.
    """

    name: str
    version: str
    read: Read
    description: str = "Problems with answers that can be verified."
    homepage: str | None = None
    citation: str | None = None
    licence: str | None = None


# The registry is for names that tfds.load looks up; this builder needs its recipe as an argument.
with registered.skip_registration():

    class Problems(tfds.core.GeneratorBasedBuilder):
        """Builder of what a recipe reads, in its order: the order is the business of data.order.

        Args:
            recipe: what is prepared.
            data_dir: folder of TFDS data sets.
        """

        VERSION = tfds.core.Version("1.0.0")  # of a class; that of the recipe goes before it
        MANUAL_DOWNLOAD_INSTRUCTIONS = "Files by hand, see docs/data.md."
        url_infos: ClassVar[dict[str, Any]] = {}  # the recipe checks what it reads

        def __init__(self, recipe: Recipe, *, data_dir: str):
            self.recipe = recipe
            self.name = recipe.name  # pyright: ignore[reportAttributeAccessIssue]
            self.VERSION = tfds.core.Version(recipe.version)
            super().__init__(data_dir=data_dir, file_format="array_record")

        def _info(self) -> tfds.core.DatasetInfo:
            features = {field: tfds.features.Text() for field in (*_FIELDS, _EXTRA)}
            return tfds.core.DatasetInfo(
                builder=self,
                description=self.recipe.description,
                homepage=self.recipe.homepage,
                citation=self.recipe.citation,
                license=self.recipe.licence,
                features=tfds.features.FeaturesDict(features),
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            splits = self.recipe.read(dl_manager)
            return {split: self._generate_examples(rows) for split, rows in splits.items()}

        def _generate_examples(self, problems: Sequence[Problem]) -> Any:
            for index, problem in enumerate(problems):
                texts = {field: getattr(problem, field) or "" for field in _FIELDS}
                yield index, {**texts, _EXTRA: json.dumps(dict(problem.extra))}


def as_problem(item: Mapping[str, Any]) -> Problem:
    """Read an item of a data source as a problem."""
    texts = {field: item[field].decode("utf-8") for field in _FIELDS}
    extra = json.loads(item[_EXTRA])
    return Problem(**{**texts, "solution": texts["solution"] or None}, extra=extra)
