"""The pictures of docs/sage.md, drawn by the library's own functions.

    python docs/pictures.py [FOLDER]

Writes sage_guides.png, sage_targets.png and sage_losses.png into the folder, or beside this file.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # For `studies`, which is not installed.

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch

from sage_jax.evaluate.report import theme
from sage_jax.losses import InertGuideWarning, by_name, guides, weights
from studies import targets

THEME = theme.LIGHT
BLUE, ORANGE, GREEN, *_ = THEME.arms


def plot_guides() -> Figure:
    """The q of guides that read entropies, and of `token` against its weight, by default."""
    figure = theme.new_figure(THEME, 8.6, 4.1)
    left, right = figure.subplots(1, 2, sharey=True)
    _q_of_entropy(left)
    _q_of_surprisal(right)
    for axes in (left, right):
        theme.dress(axes, THEME)
        axes.axhspan(0.6, 1.4, color=THEME.grid, alpha=0.35, linewidth=0)
        axes.set_ylim(0.0, 1.55)
    left.set_ylabel("q, the factor of the anchor")
    return figure


def _q_of_entropy(axes: Axes) -> None:
    entropies = jnp.linspace(0.0, 3.6, 721)[None]
    mask = jnp.ones_like(entropies)
    drawn = {
        "gated": (guides.gated(entropies, mask), ORANGE, "-"),
        "gated, width 0.3": (guides.gated(entropies, mask, width=0.3), ORANGE, (0, (4, 2))),
        "branch": (guides.branch(entropies, mask), BLUE, "-"),
    }
    for log_q, color, dash in drawn.values():
        axes.plot(entropies[0], jnp.exp(log_q)[0], color=color, linestyle=dash, linewidth=2.4)
    axes.axhline(1.0, color=THEME.base, linewidth=1.2, linestyle=(0, (2, 2)), zorder=1)
    _say(axes, 2.62, 1.43, "branch", BLUE)
    _say(axes, 1.27, 0.86, "gated", ORANGE)
    _say(axes, 1.6, 0.46, "gated, width 0.3", ORANGE, weight="normal")
    _say(axes, 0.05, 1.04, "no guide", THEME.muted, weight="normal")
    _say(axes, 1.78, 0.63, "the paper's range, 0.6 to 1.4", THEME.muted, weight="normal", size=8.5)
    axes.set_xlim(0.0, 3.6)
    axes.set_xlabel("entropy of the next token, nats")
    _title(axes, "Guides of the prefix")


def _q_of_surprisal(axes: Axes) -> None:
    surprisals = jnp.tile(jnp.linspace(0.0, 5.0, 21), (2000, 1))
    mask = jnp.ones_like(surprisals)
    weight = weights.minmax(surprisals[:1], mask[:1])[0]
    key = jax.random.key(0)
    for alpha, sigma, color in ((0.3, 0.25, BLUE), (0.1, 0.1, GREEN)):
        noisy = guides.token(-surprisals, mask, key, alpha=alpha, sigma=sigma)
        low, high = np.quantile(np.exp(noisy), (0.16, 0.84), axis=0)
        plain = guides.token(-surprisals[:1], mask[:1], alpha=alpha)
        axes.fill_between(weight, low, high, color=color, alpha=0.18, linewidth=0)
        axes.plot(weight, jnp.exp(plain)[0], color=color, linewidth=2.4)
    axes.axhline(1.0, color=THEME.base, linewidth=1.2, linestyle=(0, (2, 2)), zorder=1)
    _say(axes, 0.03, 1.43, "token at first: α 0.3, σ 0.25", BLUE)
    _say(axes, 0.2, 0.87, "token at last: α 0.1, σ 0.1", GREEN)
    _say(axes, 0.03, 0.63, "bands: the noise, 16% to 84%", THEME.muted, weight="normal", size=9)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel("weight w: how surprising, in its own row")
    _title(axes, "A guide of the token")


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=11.5, fontweight="bold", color=THEME.ink)


def _say(
    axes: Axes, x: float, y: float, text: str, color: str, *, weight: str = "bold", size: float = 10
) -> None:
    axes.text(x, y, text, color=color, fontsize=size, fontweight=weight)


REVERSE, FORWARD = "k2", "k3 (SAGE's official)"
SHOWN = {
    "none": "No guide",
    "of the token": "A guide of the token: q = 2 on rare right ones, ½ on the liked wrong one",
    "of the prefix, q = 1.3": "A guide of the prefix: q = 1.3 on all",
}
ANSWERS = (
    *["right"] * 2, *["rare,\nright"] * 2, "liked,\nwrong", *["wrong"] * 2, "fools the\nreward",
)  # fmt: skip


def found() -> dict[tuple[str, str], np.ndarray]:
    """Where k2 and k3 lead to with each guide of `SHOWN`, {(estimator, guide): [8]}."""
    pairs = [(estimator, guide) for guide in SHOWN for estimator in (REVERSE, FORWARD)]
    with warnings.catch_warnings():
        # That a guide of the prefix cannot act under k2 is what is to be seen.
        warnings.simplefilter("ignore", InertGuideWarning)
        led = jax.jit(lambda: [_led(*pair) for pair in pairs])()
    return dict(zip(pairs, map(np.asarray, led), strict=True))


def _led(estimator: str, guide: str) -> jax.Array:
    function, _ = targets.GUIDES[guide]
    made = None if function is None else by_name.guide(function)
    return targets.converge(targets.ESTIMATORS[estimator](made), steps=4000)


def plot_targets() -> Figure:
    """One prompt with eight answers: the reference, what estimators lead to, and the optimum."""
    led = found()
    figure = theme.new_figure(THEME, 8.6, 7.6)
    panels = figure.subplots(len(SHOWN), 1, sharex=True, sharey=True)
    for axes, (guide, title) in zip(panels, SHOWN.items(), strict=True):
        theme.dress(axes, THEME)
        optimum = targets.reverse_target(targets.GUIDES[guide][1])
        _distributions(axes, led[REVERSE, guide], led[FORWARD, guide], optimum)
        _title(axes, title)
        axes.set_ylim(0.0, 0.5)
        theme.percent_ticks(axes, 5)
    panels[-1].set_xticks(range(len(ANSWERS)), ANSWERS)
    figure.legend(
        handles=[
            Patch(color=THEME.base, alpha=0.45, label="the reference"),
            Patch(color=BLUE, label="k2: a reverse KL"),
            Patch(color=ORANGE, label="k3, SAGE's: a forward KL's pull"),
            Line2D(
                [], [], color=THEME.ink, linewidth=2.2, label=r"optimum, $q\,\pi_{ref}\,e^{r/β}/Z$"
            ),
        ],
        loc="outside upper left",
        ncols=4,
        frameon=False,
        fontsize=10,
        handlelength=1.3,
        columnspacing=1.2,
    )
    return figure


def _distributions(axes: Axes, reverse: np.ndarray, forward: np.ndarray, optimum: jax.Array):
    """Bars of the reference and of two policies for every answer, the optimum as a mark."""
    places, width = np.arange(len(ANSWERS)), 0.27
    axes.bar(places - width, targets.REFERENCE, width, color=THEME.base, alpha=0.45)
    axes.bar(places, reverse, width, color=BLUE)
    axes.bar(places + width, forward, width, color=ORANGE)
    axes.hlines(optimum, places - 0.45 * width, places + 1.5 * width, color=THEME.ink, lw=2.2)


Place = tuple[float, float]
_WIDE, _TALL = 3.05, 1.0


def plot_losses() -> Figure:
    """The pieces of a loss, the module of each, the field that names it, and what flows where."""
    figure = theme.new_figure(THEME, 8.6, 7.8)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, 11.4)
    axes.set_ylim(-0.3, 10.1)
    axes.set_aspect("equal")
    put = functools.partial(_box, axes)
    logps = put(
        (5.7, 9.5), "logps, entropies", "terms, fused", "of policy and reference", THEME.muted
    )
    guide = put((1.7, 9.5), "guide: log q", "guides", "guide", ORANGE)
    anchor = put((1.7, 7.6), "anchor: ref_logps + log q", "anchors.reshape", "", ORANGE)
    kl = put((1.7, 5.7), "estimator of the KL", "kl", "loss.kl_estimator", ORANGE)
    gates = put(
        (1.7, 3.8), "gates × coefficient", "gates, schedules", "loss.kl_gates, loss.kl_coef", ORANGE
    )
    rewards = put((9.7, 9.5), "rewards", "yours, or sage_jax.rewards", "reward", THEME.muted)
    rules = put((9.7, 7.6), "advantages", "advantages, counts, rarity", "loss.advantage", BLUE)
    ratios = put((5.7, 3.8), "ratios π / π_old", "importance", "loss.level", BLUE)
    policy = put((9.7, 3.8), "surrogate", "surrogates, policy", "loss.surrogate", BLUE)
    total = put((5.7, 2.0), "sum, token by token", "compose", "", GREEN)
    last = put((5.7, 0.3), "reduction: (sum, count)", "reduce", "loss.reduction", GREEN)
    _flow(axes, logps, guide, start=(-1, 0), end=(1, 0))
    for first, second in ((guide, anchor), (anchor, kl), (kl, gates), (logps, ratios),
                          (rewards, rules), (rules, policy), (total, last)):  # fmt: skip
        _flow(axes, first, second)
    _flow(axes, ratios, policy, start=(1, 0), end=(-1, 0))
    _flow(axes, gates, total, end=(-1, 0))
    _flow(axes, policy, total, end=(1, 0))
    _flow(axes, gates, rewards, start=(1, 0.7), end=(-1, -0.5), said="kl_in: reward")
    _flow(axes, gates, rules, start=(1, 0.3), end=(-1, -0.5), said="kl_in: advantage")
    _say(axes, 8.2, 0.45, "in colour: module of", THEME.muted, weight="normal", size=9)
    _say(axes, 8.2, 0.15, "sage_jax.losses", THEME.muted, weight="normal", size=9)
    _say(axes, 8.2, -0.15, "below it: field of a config", THEME.muted, weight="normal", size=9)
    return figure


def _box(axes: Axes, at: Place, title: str, module: str, field: str, color: str) -> Place:
    """A piece: what it is, its module, and the field of a config; gives its centre."""
    x, y = at
    style = "round,pad=0,rounding_size=0.14"
    corner = (x - _WIDE / 2, y - _TALL / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner, _WIDE, _TALL, boxstyle=style, facecolor=THEME.surface, edgecolor=color, lw=2
        )
    )
    lines = [(title, 0.24, 9.5, "bold", THEME.ink), (module, -0.04, 9, "normal", color)]
    lines += [(field, -0.31, 8.5, "normal", THEME.muted)] if field else []
    for text, lift, size, weight, ink in lines:
        axes.text(
            x, y + lift, text, ha="center", va="center", fontsize=size, fontweight=weight, color=ink
        )
    return at


def _flow(
    axes: Axes,
    first: Place,
    second: Place,
    *,
    start: Place = (0.0, -1.0),
    end: Place = (0.0, 1.0),
    said: str = "",
) -> None:
    """An arrow from an edge of one box, in half widths and heights from its centre, to another.

    One that says something is an option: dashed.
    """
    (x, y), (to_x, to_y) = (
        (at[0] + side * _WIDE / 2, at[1] + up * _TALL / 2)
        for at, (side, up) in ((first, start), (second, end))
    )
    dash = (0, (4, 3)) if said else "-"
    looks = {"color": THEME.muted, "linewidth": 1.3, "linestyle": dash, "shrinkA": 1, "shrinkB": 1}
    axes.add_patch(
        FancyArrowPatch((x, y), (to_x, to_y), arrowstyle="-|>", mutation_scale=12, **looks)
    )
    if said:
        middle = (0.3 * x + 0.7 * to_x, 0.3 * y + 0.7 * to_y)
        turned = np.degrees(np.arctan2(to_y - y, to_x - x))
        axes.text(
            *middle, said, color=THEME.muted, fontsize=9, rotation=turned, ha="center", va="center",
            bbox={"facecolor": THEME.surface, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


PICTURES: dict[str, Callable[[], Figure]] = {
    "sage_guides": plot_guides,
    "sage_targets": plot_targets,
    "sage_losses": plot_losses,
}


def main(arguments: Sequence[str]) -> None:
    """Draw all of them into the folder that is named, or into this one."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    for name, draw in PICTURES.items():
        theme.save(draw(), folder / f"{name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
