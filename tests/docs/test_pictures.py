"""The script that draws the pictures of docs/sage.md."""

import importlib.util
import re
from pathlib import Path

import pytest
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_writes_what_the_page_shows(pictures, tmp_path):
    pictures.main([str(tmp_path)])
    shown = set(re.findall(r"!\[.*?\]\((.*?)\)", (DOCS / "sage.md").read_text()))
    assert {path.name for path in tmp_path.iterdir()} == shown
    for name in shown:
        with Image.open(tmp_path / name) as drawn, Image.open(DOCS / name) as kept:
            assert drawn.size == kept.size


def test_k2_comes_to_the_optimum_that_is_marked(pictures):
    for (estimator, guide), policy in pictures.found().items():
        optimum = pictures.targets.reverse_target(pictures.targets.GUIDES[guide][1])
        assert (abs(policy - optimum).max() < 1e-3) == (estimator == pictures.REVERSE)
