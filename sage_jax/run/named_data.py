"""Data sets that a config names, as inputs of a run."""

from sage_jax import config as configs
from sage_jax.data.named import DATA_SETS
from sage_jax.parts import TASKS

_PLACES = ("data_dir", "manual_dir")  # Where the same data may be found.
_USE = ".use"


def of(config: configs.Config) -> dict[str, str]:
    """The data sets, by the field that names them, as `task.use`."""
    tasks = ((field, spec.use) for field, spec, room in config.parts if room is TASKS)
    return {f"{field}{_USE}": name for field, name in tasks if name in DATA_SETS}


def is_one(field: str) -> bool:
    """Whether a field of `of`, and not one that names a file."""
    return field.endswith(_USE)


def digest(name: str) -> str:
    """Name, version and checksum; of a name that is none any more, that."""
    return DATA_SETS[name].fingerprint if name in DATA_SETS else f"{name}, no data set"


def places(config: configs.Config) -> set[str]:
    """Fields that say where the data sets are, and not what they are."""
    return {f"{field.removesuffix(_USE)}.{name}" for field in of(config) for name in _PLACES}
