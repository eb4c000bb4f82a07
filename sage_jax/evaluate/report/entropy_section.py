"""Where the reference branches: the section of a report."""

from collections.abc import Sequence
from pathlib import Path

from sage_jax.evaluate.branching import Branching
from sage_jax.evaluate.report.drawn import add_picture
from sage_jax.evaluate.report.entropy_plot import plot_entropies
from sage_jax.evaluate.report.page import Html, section
from sage_jax.evaluate.runs import Run

_CAPTION = (
    "Tokens that the reference wrote, by its entropy at them, before training. Right of the dashed "
    "line it branches, and there an anchor may be worth keeping; left of it are noise and what is "
    "certain. Without a line the two overlap, and a gate by entropy has nothing to go by."
)


def read_branching(runs: Sequence[Run]) -> dict[Path, Branching]:
    """What is known of the references of runs, by folder; arms have theirs in the one they lie in.

    Raises:
        ResultError: a file of entropies is corrupt.
    """
    folders = dict.fromkeys(place for run in runs for place in (run.shared, run.path) if place)
    files = {folder: folder / "entropies" / "entropies.json" for folder in folders}
    return {folder: Branching.load(file) for folder, file in files.items() if file.is_file()}


def entropy_section(folder: Path, found: dict[Path, Branching]) -> Html:
    """A picture of each reference, in `folder` too; nothing where there are none."""
    pictures = [
        add_picture(
            folder,
            f"entropies_{place}" if place else "entropies",
            lambda theme, one=one: plot_entropies(one, theme=theme),
            alt=f"histogram of the reference's entropies on {one.task}, and their mean by position",
            caption=f"{home.name}: {_CAPTION}" if len(found) > 1 else _CAPTION,
        )
        for place, (home, one) in enumerate(found.items())
    ]
    return section("Where the reference branches", *pictures) if pictures else Html("")
