"""Checkpoints of everything a run needs to go on as if nothing had happened."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from sage_jax import paths


class CheckpointError(ValueError):
    """A checkpoint that does not fit the run."""


class Checkpoints:
    """Asynchronous Orbax checkpoints of one tree of arrays and one JSON object, by step.

    A step number is how many steps are done. A checkpoint is written to a hidden name and renamed,
    and one in a bucket gets a file that says it is whole, so that it is whole or absent.
    """

    def __init__(self, folder: Path, *, keep: int):
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, enable_async_checkpointing=True, create=True
        )
        self._folder = folder
        with paths.told(folder):
            self._manager = ocp.CheckpointManager(paths.resolved(folder), options=options)

    def latest(self) -> int | None:
        """The newest step kept, or None."""
        return self._manager.latest_step()

    def save(self, step: int, tree: Any, notes: dict[str, Any]) -> None:
        """Begin to save; returns once the arrays are copied to the host."""
        if step == self.latest():
            return
        saved = ocp.args.Composite(
            arrays=ocp.args.StandardSave(_named(tree)), notes=ocp.args.JsonSave(notes)
        )
        with paths.told(self._folder):
            self._manager.save(step, args=saved)

    def restore(self, step: int, like: Any) -> tuple[Any, dict[str, Any]]:
        """The tree and the notes of a step.

        Args:
            step: one that was saved.
            like: a tree of arrays, or of their `shapes`, as was saved.

        Raises:
            CheckpointError: if the checkpoint holds other arrays than `like`.
        """
        wanted = _named(shapes(like))
        args = ocp.args.Composite(
            arrays=ocp.args.StandardRestore(wanted), notes=ocp.args.JsonRestore()
        )
        try:
            restored: Any = self._manager.restore(step, args=args)
        except (ValueError, KeyError) as error:
            where = self._manager.directory / str(step)
            raise CheckpointError(
                f"{where}: this checkpoint does not fit the model or optimiser: {error}"
            ) from error
        leaves = [restored.arrays[name] for name in wanted]
        return jax.tree.unflatten(jax.tree.structure(like), leaves), restored.notes

    def wait(self) -> None:
        """Return when what was begun is on disk."""
        with paths.told(self._folder):
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Finish what was begun and let go."""
        with paths.told(self._folder):
            self._manager.close()


def _named(tree: Any) -> dict[str, Any]:
    """Leaves by their path, so that a checkpoint does not depend on container classes."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def shapes(tree: Any) -> Any:
    """Shape, dtype and sharding of every array of a tree."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), tree)
