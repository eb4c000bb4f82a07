"""Which styles the real model's arms write, and how often each of them is right.

    python -m studies.written [--results studies/results/real.jsonl]

Styles that are kept are counted by right answers, so that an arm keeps more of them by choosing
them or by computing better in them. Here the two are apart. Intervals are 95% bootstrap intervals
over the problems of each seed, as in `studies.over_problems`.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from sage_jax.data.styles import STYLES
from sage_jax.evaluate.bootstrap import Interval, resampled_means
from studies.frontier import Row
from studies.markdown import table
from studies.over_problems import BASE, Arm, arms, cell, title
from studies.printing import by_setting, print_results
from studies.real import RESULTS

FIGURES = ("pass@1 at the base's shares", "styles written")


def figures(own: np.ndarray, base: np.ndarray) -> np.ndarray:
    """[..., 2 + 2 S]: `FIGURES`, the share of each style, and how often it is right.

    Args:
        own: [..., 2, S] means over problems of completions begun and right, of an arm.
        base: the same of its base.

    pass@1 at the base's shares is Σ_s share_base(s) · right(s), what the arm would have if it chose
    styles as the base does, of which one that it never writes is never right. Styles written are
    exp of the entropy of its own shares. Completions that begin in no style are left out of both.
    """
    (written, right), first = np.moveaxis(own, -2, 0), base[..., 0, :]
    shares = written / written.sum(axis=-1, keepdims=True)
    skill = np.divide(right, written, out=np.zeros_like(right), where=written > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logs).sum(axis=-1)
    at_base = (first / first.sum(axis=-1, keepdims=True) * skill).sum(axis=-1)
    return np.concatenate([np.stack([at_base, np.exp(entropy)], -1), shares, skill], axis=-1)


def _by_problem(row: Row) -> np.ndarray:
    """[Q, 2, S]."""
    return np.stack([np.array(row["written"]), np.array(row["written_right"])], axis=1)


def means(rows: Sequence[Row], arm: Arm) -> np.ndarray:
    """Figures of an arm, the mean over its seeds; empty if it has none."""
    pairs = [(own.mean(axis=0), base.mean(axis=0)) for own, base in _paired(rows, arm, BASE)]
    return np.mean([figures(*pair) for pair in pairs], axis=0) if pairs else np.empty(0)


def difference(rows: Sequence[Row], arm: Arm, other: Arm) -> list[Interval]:
    """Paired differences of `FIGURES`, the mean over seeds that have both arms; [] if none has."""
    apart, drawn = [], []
    for seed, parts in enumerate(_paired(rows, arm, other, BASE)):
        apart.append(_apart(*(part.mean(axis=0) for part in parts)))
        flat = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
        redrawn = resampled_means(flat, seed=seed).reshape(-1, 3, 2, len(STYLES))
        drawn.append(_apart(*np.moveaxis(redrawn, 1, 0)))
    if not apart:
        return []
    bounds = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975], axis=0)
    return [*map(Interval, np.mean(apart, axis=0), *bounds)]


def _apart(own: np.ndarray, other: np.ndarray, base: np.ndarray) -> np.ndarray:
    return (figures(own, base) - figures(other, base))[..., : len(FIGURES)]


def _paired(rows: Sequence[Row], *wanted: Arm) -> Iterator[tuple[np.ndarray, ...]]:
    """Counts of some arms, of each seed that has all of them."""
    found = {(row["seed"], row["arm"], row["kl_coef"]): row for row in rows}
    for seed in sorted({row["seed"] for row in rows}):
        own = [found.get((seed, *arm)) for arm in wanted]
        if all(own):
            yield tuple(_by_problem(row) for row in own if row)


def lines(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Of the base and each arm its figures, and each style's share and how often it is right."""
    for arm in (BASE, *arms(rows)):
        if len(found := means(rows, arm)):
            first, shares, skill = np.split(found, [len(FIGURES), len(FIGURES) + len(STYLES)])
            each = [f"{a:.2f} × {b:.3f}" for a, b in zip(shares, skill, strict=True)]
            yield [title(arm), *(f"{value:.3f}" for value in first), *each]


def contrasts(rows: Sequence[Row]) -> Iterator[list[str]]:
    """Each arm against k3 at each of its coefficients."""
    for arm in arms(rows):
        for other in arms(rows):
            if other[0] == "k3" and arm != other and (found := difference(rows, arm, other)):
                yield [f"{title(arm)} − {title(other)}", *map(cell, found)]


def report(rows: Sequence[Row]) -> str:
    """The tables of each setting, of the rows that have counts of what was written."""
    rows = [row for row in rows if "written" in row]
    return by_setting(rows, _tables)


def _tables(rows: Sequence[Row]) -> str:
    head = ["arm", *FIGURES, *(f"{style}: share × right" for style in STYLES)]
    return "\n\n".join([table(head, lines(rows)), table(["", *FIGURES], contrasts(rows))])


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    print_results(report, words, results=RESULTS, prog="python -m studies.written", about=__doc__)


if __name__ == "__main__":
    main()
