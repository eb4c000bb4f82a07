"""Pictures of the report and of the terminal for these pages, from a folder of runs.

    python docs/screenshots.py RUN_DIR [--problem 3] [--out docs]

Needs Chromium. Writes report.png (wide, light), report_dark.png (wide, dark), report_narrow.png (a
phone's width), report_tokens.png and report_tokens_dark.png (completions coloured by q and by
entropy), and terminal.png (what `sage-jax report` prints).
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sage_jax.evaluate import print_table, write_report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import chromium

_TOKENS = "document.querySelector('#tokens').scrollIntoView()"


def report_pictures(page: Path, out: Path, home: Path, problem: int) -> None:
    """What a reader sees of the page."""
    with chromium.browser(home / "wide", width=1180, height=860) as window:
        for name, dark, view in (("", False, "q"), ("_dark", True, "entropy")):
            window.dark(dark)
            window.open(f"{page.as_uri()}#view={view}&problem={problem}&reward=both")
            window.run(_TOKENS)
            window.shoot(out / f"report_tokens{name}.png")
            window.run("scrollTo(0, 0)")
            window.shoot(out / f"report{name}.png")
        assert not window.said, window.said
    with chromium.browser(home / "narrow", width=500, height=1000) as window:
        window.open(page.as_uri())
        window.run(_TOKENS)
        window.shoot(out / "report_narrow.png")


def terminal_picture(run_dir: Path, out: Path, home: Path) -> None:
    """What a terminal of 118 columns shows of the table."""
    text = io.StringIO()
    print_table([run_dir], text)
    console = Console(record=True, width=max(map(len, text.getvalue().splitlines())), file=text)
    console.print(Text(f"$ sage-jax report {run_dir}\n{text.getvalue()}"))
    drawn = home / "terminal.svg"
    drawn.write_text(console.export_svg(title="sage-jax"))
    page = home / "terminal.html"
    page.write_text(f'<body data-ready style="margin:0"><img src="{drawn.name}" width="1180">')
    with chromium.browser(home / "terminal", width=1180, height=620) as window:
        window.open(page.as_uri())
        window.run("document.images[0].decode()")
        window.shoot(out / "terminal.png")


def main() -> None:
    """Write all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--problem", type=int, default=1, help="which the tokens are shown of")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        page = write_report([given.run_dir], Path(home) / "report")
        report_pictures(page, given.out, Path(home), given.problem)
        terminal_picture(given.run_dir, given.out, Path(home))


if __name__ == "__main__":
    main()
