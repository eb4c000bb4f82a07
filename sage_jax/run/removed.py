"""Training problems that were left out because they stand in an evaluation set, written down."""

import json

from sage_jax.data.mixed_task import MixedTask
from sage_jax.data.tasks import Task
from sage_jax.data.text_task import TextTask
from sage_jax.files import write_atomically
from sage_jax.parallel import hosts
from sage_jax.run.console import log
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.writes import best_effort


def keep_removed(task: Task, folder: RunFolder) -> None:
    """Write which problems of a task in words were left out and why, and say how many."""
    tasks = [one.task for one in task.sources] if isinstance(task, MixedTask) else [task]
    removed = [one for own in tasks if isinstance(own, TextTask) for one in own.problems.removed]
    if not removed or not hosts.is_main():
        return
    ids = {one.id for one in removed}
    log(
        f"{len(ids)} problems are not trained on, since they are evaluated on too: "
        f"{folder.removed_file}"
    )
    with best_effort(folder.removed_file):
        lines = "".join(json.dumps(one._asdict()) + "\n" for one in removed)
        write_atomically(folder.removed_file, lines.encode())
