from html.parser import HTMLParser

import pytest

from sage_jax.evaluate.report.page import Html, document, markup, picture, section, table, tag


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("<script>", "&lt;script&gt;"),
        ("a & b", "a &amp; b"),
        ('" onload="x', "&quot; onload=&quot;x"),
        ("'", "&#x27;"),
        ("line\n\ttab", "line\n\ttab"),
        ("\x00\x1b[31m\r", "\\u0000\\u001b[31m\\u000d"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("日本 √2 🙂", "日本 √2 🙂"),
        (3.5, "3.5"),
    ],
)
def test_text_becomes_harmless_markup(text, safe):
    assert markup(text) == safe
    markup(text).encode()


def test_markup_stays_markup_and_is_not_escaped_twice():
    inner = tag("b", "<i>")
    assert markup(inner) == "<b>&lt;i&gt;</b>"
    assert tag("p", inner, class_="x") == '<p class="x"><b>&lt;i&gt;</b></p>'
    assert tag("p", "x", title=None) == "<p>x</p>"


def test_attributes_are_escaped():
    assert 'title="&quot;&gt;&lt;b&gt;"' in tag("p", "x", title='"><b>')


def test_tables_escape_cells_and_name_rows():
    grid = table(["<h>", "n"], [["<r>", "<c>"]], caption="<t>")
    assert "<h>" not in grid
    assert '<th scope="row">&lt;r&gt;</th><td>&lt;c&gt;</td>' in grid


class Tags(HTMLParser):
    void = frozenset({"meta", "img", "source"})

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_document_is_well_formed_and_closed_to_the_outside():
    figure = picture(b"light", b"dark", alt='a "b"', caption="<c>", wide=True)
    parser = Tags()
    parser.feed(document("<title>", section("A part", figure, Html("<p>x</p>"))))
    assert parser.open == []
    names = [name for name, _ in parser.seen]
    assert "script" not in names
    assert "link" not in names
    policy = next(a for n, a in parser.seen if n == "meta" and "http-equiv" in a)
    assert policy["content"].startswith("default-src 'none'")
    assert ("section", {"id": "a-part"}) in parser.seen
