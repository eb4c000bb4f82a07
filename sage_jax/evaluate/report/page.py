"""The pieces of a self-contained HTML page: escaping, tables, inlined figures."""

import base64
import hashlib
import html
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from sage_jax.evaluate.report.stylesheet import CSS
from sage_jax.evaluate.report.theme import Style


class Html(str):
    """Text that is markup already. Everything else is escaped before it reaches the page."""

    __slots__ = ()


# Characters that reorder the text around them could make a completion read as what it is not.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _BIDI or unicodedata.category(character) in ("Cc", "Cs"):
        return f"\\u{ord(character):04x}"
    return character


def markup(value: object) -> Html:
    r"""`value` as markup: escaped unless it is `Html`, control characters made visible.

    >>> markup("<b>\x00")
    '&lt;b&gt;\\u0000'
    """
    if isinstance(value, Html):
        return value
    return Html(html.escape("".join(map(_visible, str(value))), quote=True))


_VOID = frozenset(("input",))


def tag(name: str, /, *children: Any, **attributes: object) -> Html:
    """An element; children and attribute values are escaped unless they are `Html`.

    An attribute's trailing underscore is dropped (`class_`) and None leaves it out.

    >>> tag("td", "a < b", class_="n")
    '<td class="n">a &lt; b</td>'
    """
    pairs = {key.rstrip("_").replace("_", "-"): v for key, v in attributes.items() if v is not None}
    opening = "".join(f' {key}="{markup(value)}"' for key, value in pairs.items())
    closing = "" if name in _VOID else f"</{name}>"
    return Html(f"<{name}{opening}>{''.join(map(markup, children))}{closing}")


def join(parts: Iterable[object], separator: str = "") -> Html:
    """Markup of the parts, one after the other."""
    return Html(separator.join(markup(part) for part in parts))


def arm_name(name: str, style: tuple[Style, Style]) -> Html:
    """An arm's name behind a dot in its colour (light and dark surface)."""
    light, dark = style
    dot = tag("i", class_="dot", style=f"--arm:{light.color};--arm-dark:{dark.color}")
    return tag("span", dot, name, class_="arm")


def table(
    head: Sequence[object],
    rows: Sequence[Sequence[object]],
    *,
    caption: str = "",
    words: bool = False,
) -> Html:
    """A table that scrolls sideways on a narrow screen; the first column names the row.

    Args:
        head: of the columns.
        rows: cells.
        caption: above it.
        words: cells are text, which is broken into lines, and not numbers.
    """
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    lines = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
        for row in rows
    ]
    title = [tag("caption", caption)] if caption else []
    kind = "words" if words else None
    grid = tag("table", *title, tag("thead", top), tag("tbody", *lines), class_=kind)
    return tag("div", grid, class_="scroll", tabindex="0", role="region", aria_label="table")


def picture(
    light: bytes, dark: bytes, *, alt: str, caption: object = "", wide: bool = False
) -> Html:
    """A figure with both PNGs inside the page; the reader's colour scheme picks one."""
    sources = [f"data:image/png;base64,{base64.b64encode(data).decode()}" for data in (light, dark)]
    dim = f'<source media="screen and (prefers-color-scheme: dark)" srcset="{sources[1]}">'
    image = f'<img src="{sources[0]}" alt="{markup(alt)}">'
    below = [tag("figcaption", caption)] if caption else []
    frame = tag("div", tag("picture", Html(dim + image)), class_="scroll")
    return tag("figure", frame, *below, class_="wide" if wide else None)


def section(title: str, *children: object) -> Html:
    """A titled part of the page, with an anchor named after its title."""
    anchor = "".join(c if c.isalnum() else "-" for c in title.lower())
    return tag("section", tag("h2", title), *children, id=anchor)


def document(title: str, *children: object, style: str = "", script: str = "") -> str:
    """A whole page, which can load nothing from outside the file.

    Args:
        title: of the window.
        children: of the page.
        style: beside `stylesheet.CSS`.
        script: that the page ends with. The security policy lets it alone run, by its digest.
    """
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark">'),
            tag("title", title),
            tag("style", Html(CSS + style)),
        ],
        "\n",
    )
    last = [tag("script", Html(script))] if script else []
    body = tag("body", tag("main", *children), *last)
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n{body}\n</html>\n'
