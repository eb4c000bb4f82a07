"""What tests of tables share: the looks of runs, and what a reader sees of markup."""

import re

from sage_jax.evaluate.report.theme import DARK, LIGHT, styles


def looks_of(runs):
    names = [run.name for run in runs]
    light, dark = (styles(names, theme, bases=("base",)) for theme in (LIGHT, DARK))
    return {name: (light[name], dark[name]) for name in light}


def text(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())
