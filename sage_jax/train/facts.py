"""What all processes of a run must have in common, as short digests."""

import hashlib
from pathlib import Path

import jax

import sage_jax
from sage_jax import config as configs


def facts(config: configs.Config) -> dict[str, str]:
    """Digests of config, code and data, and the versions that decide what is computed."""
    return {
        "config": _digest(configs.dump(config).encode()),
        "code": _code(),
        "data": _data(config.task),
        "jax": jax.__version__,
        "devices here": str(jax.local_device_count()),
    }


def _code() -> str:
    root = Path(sage_jax.__file__).parent
    return _digest(*(path.read_bytes() for path in sorted(root.rglob("*.py"))))


def _data(task: configs.Task) -> str:
    paths = [Path(name) for name in (task.train_file, task.eval_file) if name]
    # A missing file is told of by the reader, who knows the field.
    return _digest(*(path.read_bytes() if path.is_file() else b"" for path in paths))


def _digest(*parts: bytes) -> str:
    state = hashlib.sha256()
    for part in parts:
        state.update(hashlib.sha256(part).digest())
    return state.hexdigest()[:12]
