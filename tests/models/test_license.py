"""The licence that a model's own card says."""

import pytest

from sage_jax.models.license import license_of

CARDS = {
    "---\nlicense: apache-2.0\ntags: [a]\n---\n# Mine\n": "apache-2.0",
    "---\ntags: [a]\n---\nlicense: mit\n": None,
    "# Mine\n---\nlicense: mit\n---\n": None,
    "---\nlicense: [mit, other]\n---\n": None,
    "---\nlicense: {mit\n---\n": None,
    "": None,
}


@pytest.mark.parametrize("card", CARDS, ids=ascii)
def test_it_is_that_of_the_head(tmp_path, card):
    (tmp_path / "README.md").write_text(card)
    assert license_of(str(tmp_path)) == CARDS[card]


@pytest.mark.parametrize("source", ["nowhere/at/all", "package:nothing", "owner/never_cached"])
def test_nothing_is_known_of_what_is_not_here(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert license_of(source) is None
