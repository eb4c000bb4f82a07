"""Pictures of the report and of the terminal for these pages, from a folder of runs.

    python docs/screenshots.py RUN_DIR [RUN_DIR ...] [--find TEXT] [--out docs]

Needs Chromium. Writes report.png (wide, light), report_dark.png (wide, dark), report_narrow.png (a
phone's width), report_tokens.png and report_tokens_dark.png (completions coloured by q and by
entropy), and terminal.png (what `sage-jax report` prints).
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

from sage_jax.evaluate import write_report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium

_COLUMNS = 166

# Cards that were out of sight are laid out in the frame after.
_SETTLED = "new Promise((done) => setTimeout(done, 400))"


def report_pictures(page: Path, out: Path, home: Path, find: str) -> None:
    """What a reader sees of the page."""
    with chromium.browser(home / "wide", width=1180, height=1100) as window:
        for name, dark, view in (("", False, "q"), ("_dark", True, "entropy")):
            window.dark(dark)
            window.open(f"{page.as_uri()}#view={view}&find={find}")
            _shoot(window, "document.querySelector('.tv-views')", out / f"report_tokens{name}.png")
            _shoot(window, "document.body", out / f"report{name}.png")
        assert not window.said, window.said
    with chromium.browser(home / "narrow", width=500, height=1000) as window:
        window.open(page.as_uri())
        _shoot(window, "document.querySelector('.tv-views')", out / "report_narrow.png")


def _shoot(window: chromium.Page, from_: str, path: Path) -> None:
    window.run(f"{from_}.scrollIntoView()")
    window.run(_SETTLED)
    window.shoot(path)


def terminal_picture(run_dirs: list[Path], out: Path, home: Path) -> None:
    """What a terminal shows of the table."""
    command = ["sage-jax", "report", *map(str, run_dirs), "--out", str(home / "again")]
    shell = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(_COLUMNS)}
    said = subprocess.run(command, env=shell, capture_output=True, text=True, check=True).stdout
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    named = " ".join("runs/" + "/".join(path.parts[-2:]) for path in run_dirs)
    console.print(Text(f"$ sage-jax report {named}"))
    console.print(Text.from_ansi(said.replace(str(home / "again"), "report")))
    drawn, page = home / "terminal.svg", home / "terminal.html"
    drawn.write_text(console.export_svg(title="sage-jax"))
    page.write_text(f'<body data-ready style="margin:0"><img src="{drawn.name}" width="1180">')
    with chromium.browser(home / "terminal", width=1180, height=1400) as window:
        window.open(page.as_uri())
        height = window.run("document.images[0].decode().then(() => document.images[0].height)")
        window.shoot(out / "terminal.png")
    with Image.open(out / "terminal.png") as picture:
        picture.crop((0, 0, 1180, height)).save(out / "terminal.png")


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run_dirs", type=Path, nargs="+")
    parser.add_argument("--find", default="", help="in a problem, whose tokens are shown")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        page = write_report(given.run_dirs, Path(home) / "report")
        report_pictures(page, given.out, Path(home), given.find)
        terminal_picture(given.run_dirs, given.out, Path(home))


if __name__ == "__main__":
    main()
