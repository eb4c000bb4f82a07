"""What all processes of a run must have in common, as short digests."""

import hashlib
from pathlib import Path

import jax

import sage_jax
from sage_jax import config as configs
from sage_jax import parts
from sage_jax.run import digests


def facts(config: configs.Config) -> dict[str, str]:
    """Digests of config, code, parts of one's own and data, and the versions that matter."""
    return {
        "config": _digest(configs.dump(config).encode()),
        "code": _code(),
        "data": _data(config),
        "parts": _parts(config),
        "jax": jax.__version__,
        "devices here": str(jax.local_device_count()),
    }


def _code() -> str:
    root = Path(sage_jax.__file__).parent
    return _digest(*(path.read_bytes() for path in sorted(root.rglob("*.py"))))


def _every(config: configs.Config) -> list[configs.Config]:
    """The config, and those of its arms."""
    return [config, *configs.arms(config).values()]


def _parts(config: configs.Config) -> str:
    found = parts.sources({name for one in _every(config) for name in one.modules})
    return _digest(*(path.read_bytes() for path in found.values()))


def _data(config: configs.Config) -> str:
    paths = sorted({path for one in _every(config) for path in one.files.values()})
    return _digest(*(digests.of_data(path).encode() for path in paths))


def _digest(*parts: bytes) -> str:
    state = hashlib.sha256()
    for part in parts:
        state.update(hashlib.sha256(part).digest())
    return state.hexdigest()[:12]
