"""Completions coloured token by token, to be filtered and compared in the page.

A script of the page's own shows what is asked for. Without scripts some completions stand there as
plain text. Nothing that a model wrote is markup: it comes to the page packed, and is set as text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from sage_jax.evaluate.report.page import Html, arm_name, section, tag
from sage_jax.evaluate.report.shown import Moves, Shown
from sage_jax.evaluate.report.tables import Looks
from sage_jax.evaluate.report.token_data import packed


@dataclass(frozen=True)
class View:
    """A way to colour tokens.

    Attributes:
        title: of the button.
        unit: of the figure, for the legend; with a sign in front.
        edges: where the steps of colour begin, away from `middle`.
        middle: that no colour stands at; None where values are 0 or more.
        said: what the colours say.
    """

    title: str
    unit: str
    edges: tuple[float, ...]
    middle: float | None
    said: str


THRESHOLD = 1.2
"""Nats above which SAGE's `branch` reshapes the anchor."""
VIEWS = {
    "entropy": View(
        "Entropy", " nats", (0.3, 0.7, THRESHOLD, 2.0, 3.0), None,
        "of the policy, before the token; underlined above 1.2 nats, where branch begins to act",
    ),
    "q": View(
        "Guide q", "", (0.005, 0.05, 0.1, 0.2), 1.0,
        "the anchor is q · π_ref; above 1 (underlined) it pulls more, below 1 (dotted) less",
    ),
    "advantage": View(
        "Advantage", "", (0.05, 0.5, 1.0, 1.5), 0.0,
        "the token is made likelier above 0 (underlined), less likely below (dotted)",
    ),
    "change": View(
        "Change", " nats", (0.1, 0.5, 1.0, 2.0), 0.0,
        "of log-probability since the base; likelier above 0 (underlined), less likely below "
        "(dotted)",
    ),
}  # fmt: skip
HINT = (
    "Point at a token, or focus a completion and move with ← →, to the next coloured one with ↑ ↓."
)


def _asset(name: str) -> str:
    """A file that lies beside this one."""
    return resources.files("sage_jax.evaluate.report").joinpath(name).read_text(encoding="utf-8")


ALIVE = {
    "style": _asset("token_view.css"),
    "script": _asset("token_data.js") + _asset("token_view.js"),
}
"""What `page.document` has to be given for this part of it."""


def tokens_section(
    rows: Sequence[Shown], looks: Looks, moves: Moves, *, left_out: int, plain: Sequence[Html]
) -> Html:
    """The part of the page with completions; `token_view.js` gives it life.

    Args:
        rows: completions to choose from.
        looks: of runs and bases.
        moves: problems gained and lost.
        left_out: files of completions that there was no room for.
        plain: markup of some completions, for readers without scripts.
    """
    views: dict[str, Any] = {
        name: {"edges": view.edges, "middle": view.middle} for name, view in VIEWS.items()
    }
    data = Html(f'<script type="text/plain" id="tv-data">{packed(rows, moves, views)}</script>')
    rest = f" {left_out:,} more files lie in samples/." if left_out else ""
    note = tag(
        "p",
        "Stored completions, not selected by how they look: of training the first problems of the "
        "last steps and of the first, whose policy is the base, with the figures that the step "
        "itself used; of evaluations text alone, of problems gained or lost." + rest,
        class_="muted",
    )
    message = tag("p", class_="muted tv-message", role="status")
    names = list(dict.fromkeys(row.run for row in rows))
    view = tag("div", _views(), *_keys(), _filters(names, looks), *_rest(), class_="tv", hidden="")
    text = tag("div", *plain, class_="tv-text")
    whole = section("Completions token by token", note, message, view, text, data)
    return Html(whole.replace('id="completions-token-by-token"', 'id="tokens"', 1))


def _views() -> Html:
    titles = {name: view.title for name, view in VIEWS.items()} | {"plain": "Plain"}
    labels = [
        tag(
            "label",
            tag("input", type="radio", name="tv-view", value=name),
            title,
            " ",
            tag("kbd", str(place)),
        )
        for place, (name, title) in enumerate(titles.items(), start=1)
    ]
    return tag("fieldset", tag("legend", "Colour by"), *labels, class_="tv-views")


def _keys() -> list[Html]:
    """A legend for each view."""
    return [
        tag(
            "div",
            tag("strong", view.title),
            *(tag("span", tag("span", text, class_=f"t {look}")) for look, text in steps(view)),
            tag("span", view.said, class_="muted"),
            class_="tv-key",
            data_view=name,
            hidden="",
        )
        for name, view in VIEWS.items()
    ]


def steps(view: View) -> list[tuple[str, str]]:
    """(class, words) of the steps of colour, from low to high; "" is the class of no colour.

    >>> steps(View("", " nats", (0.1, 0.5), 0.0, ""))[:2]
    [('n2', '≤ −0.5 nats'), ('n1', '≤ −0.1 nats')]
    """
    middle, sign = view.middle or 0.0, "+" if view.middle == 0 else ""
    up = [f"≥ {middle + edge:{sign}g}{view.unit}" for edge in view.edges]
    if view.middle is None:
        return [("", "less"), *((f"s{n}", text) for n, text in enumerate(up, start=1))]
    down = [f"≤ {middle - edge:g}{view.unit}".replace("-", "−") for edge in view.edges]
    low = [(f"n{n}", text) for n, text in enumerate(down, start=1)]
    high = [(f"p{n}", text) for n, text in enumerate(up, start=1)]
    return [*reversed(low), ("", f"{middle:g}"), *high]


def _filters(names: Sequence[str], looks: Looks) -> Html:
    rewards = {
        "all": "any reward", "right": "right", "wrong": "wrong", "between": "between",
        "both": "groups with right and wrong",
    }  # fmt: skip
    moved = {"all": "all problems", "gained": "problems gained", "lost": "problems lost"}
    runs = [
        tag("label", _checked(name), " ", arm_name(name, looks[name]) if name in looks else name)
        for name in names
    ]
    search = tag(
        "input", type="search", placeholder="Search problems and completions", aria_label="Search"
    )
    found = [_select(rewards, "Reward"), _select(moved, "Problems")]
    boxes = tag("span", *runs, class_="tv-runs tv-filters", role="group", aria_label="Runs")
    return tag("div", search, *found, boxes, class_="tv-filters", role="search")


def _checked(name: str) -> Html:
    return tag("input", type="checkbox", checked="", aria_label=f"show {name}")


def _select(options: dict[str, str], label: str) -> Html:
    return tag(
        "select",
        *(tag("option", text, value=value) for value, text in options.items()),
        aria_label=label,
    )


def _rest() -> list[Html]:
    """What the script fills."""
    pick = tag(
        "div",
        tag("button", "← [", type="button", class_="tv-back", aria_label="previous problem"),
        tag("select", class_="tv-problems", aria_label="Problem"),
        tag("button", "] →", type="button", class_="tv-next", aria_label="next problem"),
        tag("span", class_="tv-count muted", role="status"),
        class_="tv-pick",
    )
    body = tag("div", class_="tv-body")
    return [pick, body, tag("div", class_="tv-read", aria_live="polite", data_hint=HINT)]
