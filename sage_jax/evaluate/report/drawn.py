"""A plot of the report: as PNG files, and inside the page."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from sage_jax.evaluate.report.page import Html, picture
from sage_jax.evaluate.report.theme import DARK, LIGHT, Theme, png
from sage_jax.files import write_atomically

Draw = Callable[[Theme], Figure]


def add_picture(folder: Path, name: str, draw: Draw, **options) -> Html:
    """Writes a plot for both surfaces and gives its markup.

    Args:
        folder: of the report, which gets NAME.png and NAME_dark.png.
        name: of the plot.
        draw: (theme) -> the plot.
        **options: of `page.picture`.
    """
    light, dark = png(draw(LIGHT)), png(draw(DARK))
    write_atomically(folder / f"{name}.png", light)
    write_atomically(folder / f"{name}_dark.png", dark)
    return picture(light, dark, **options)
