"""Training problems that stand in an evaluation set, written down."""

import json

from sage_jax.data.problem_set import Split
from sage_jax.data.tasks import Task
from sage_jax.files import write_atomically
from sage_jax.parallel import hosts
from sage_jax.run.console import log
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.writes import best_effort


def keep_contaminated(task: Task, folder: RunFolder) -> None:
    """Write which problems of a task in words are evaluated on too, and say how many."""
    problems = getattr(task, "problems", None)
    if not isinstance(problems, Split) or not problems.contaminated or not hosts.is_main():
        return
    found = problems.contaminated
    ids, trained = {one.id for one in found}, {one.id for one in problems.train}
    what = "trained on, though" if ids & trained else "not trained on, since"
    log(f"{len(ids)} problems are {what} they are evaluated on too: {folder.contaminated_file}")
    with best_effort(folder.contaminated_file):
        lines = "".join(json.dumps(one._asdict()) + "\n" for one in found)
        write_atomically(folder.contaminated_file, lines.encode())
