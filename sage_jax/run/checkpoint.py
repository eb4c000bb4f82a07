"""Checkpoints of everything a run needs to go on as if nothing had happened."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from sage_jax import paths
from sage_jax.learn.placement import shapes
from sage_jax.parallel import hosts
from sage_jax.run import heap, manifest
from sage_jax.telling import UserError


class CheckpointError(UserError, ValueError):
    """A checkpoint that does not fit the run, or is damaged."""


class Checkpoints:
    """Asynchronous Orbax checkpoints of one tree of arrays and one JSON object, by step.

    A step number is how many steps are done. A checkpoint is written to a hidden name and renamed,
    and one in a bucket gets a file that says it is whole, so that it is whole or absent. What
    befalls it later is found by its manifest.
    """

    def __init__(self, folder: Path, *, keep: int):
        whole = ocp.AsyncOptions(post_finalization_callback=self._seal)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, enable_async_checkpointing=True, create=True, async_options=whole
        )
        self._folder = folder
        self._saving = 0
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
        with self._told():
            # Orbax waits too, but `_seal` must not see the next step's number before.
            self._manager.wait_until_finished()
            heap.trim()  # Each write has threads of its own, whose heaps would fragment.
            self._saving = step
            self._manager.save(step, args=saved)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Any fault of writing, of which Orbax and TensorStore have many classes, in one line.

        A broken collective is none: another process is lost, and JAX will say which.
        """
        try:
            with paths.told(self._folder):
                yield
        except (paths.PathError, jax.errors.JaxRuntimeError):
            raise
        except Exception as error:
            line = (str(error).strip().splitlines() or ["no message"])[0]
            raise CheckpointError(
                f"{self._folder / str(self._saving)}: cannot be written: "
                f"{type(error).__name__}: {line}"
            ) from error

    def _seal(self) -> None:
        """On the first process and in Orbax's thread, when all files of a step are written."""
        # On a disk the folder has a name of its own until it is whole; in a bucket it has not.
        hidden = sorted(
            self._folder.glob(f"{self._saving}.orbax-checkpoint-tmp*"),
            key=lambda path: path.stat().st_mtime,
        )
        manifest.write(hidden[-1] if hidden else self._folder / str(self._saving))

    def restore_newest(
        self, like: Any, *, say: Callable[[str], None], set_aside: bool = False
    ) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest whole checkpoint as (step, tree, notes), or None if there is none at all.

        Args:
            like: see `restore`.
            say: told of each damaged one that is passed over.
            set_aside: rename those passed over to damaged-STEP, so that the step can be saved anew.

        Raises:
            CheckpointError: if there are checkpoints and none is whole, or the newest whole one
                holds other arrays than `like`.
        """
        # Of several processes each would see its own moment of the folder.
        steps = hosts.agree(sorted(self._manager.all_steps(), reverse=True))
        damaged: dict[int, str] = {}
        for step in steps:
            found = self._try(step, like, damaged)
            if found is not None:
                if set_aside:
                    self._set_aside(list(damaged))
                return step, *found
            say(f"{self._folder / str(step)}: damaged: {damaged[step]}; taking the one before")
        if not damaged:
            return None
        told = "; ".join(f"{step}: {fault}" for step, fault in damaged.items())
        raise CheckpointError(
            f"{self._folder}: no checkpoint is whole ({told}); put one back, or remove the folder "
            "to begin anew"
        )

    def _try(self, step: int, like: Any, damaged: dict[int, str]):
        """(tree, notes) of a step, or None after an entry in `damaged`."""
        fault = hosts.agree(manifest.fault(self._folder / str(step)) if hosts.is_main() else None)
        if fault is None:
            return self.restore(step, like)
        damaged[step] = fault
        return None

    def _set_aside(self, steps: list[int]) -> None:
        if not steps:
            return
        if hosts.is_main():
            for step in steps:
                _rename(self._folder / str(step), self._folder / f"damaged-{step}")
        hosts.barrier()  # The others look at the folder next.
        self._manager.reload()

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
        """Return when what was begun is on disk.

        Raises:
            CheckpointError: it could not be written, to a full disk for one. Those before it stay.
            PathError: the same of a bucket.
        """
        with self._told():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Finish what was begun and let go; raises as `wait`."""
        with self._told():
            self._manager.close()


def _rename(folder: Path, target: Path) -> None:
    with paths.told(folder):
        if paths.is_remote(folder):
            # A bucket cannot rename, and a copy of what is no good is not worth the time.
            folder.rmtree()  # type: ignore[attr-defined]
            return
        shutil.rmtree(target, ignore_errors=True)
        folder.rename(target)


def _named(tree: Any) -> dict[str, Any]:
    """Leaves by their path, so that a checkpoint does not depend on container classes."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
