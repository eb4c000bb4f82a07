"""The examples in docs/losses.md run."""

import re
from pathlib import Path

import numpy as np
import pytest


def test_examples_of_the_page_run():
    page = Path(__file__).parents[2] / "docs" / "losses.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    assert len(blocks) == 3
    assert sum(bool(line.strip()) for line in blocks[0].splitlines()) <= 30
    names = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    assert np.isfinite(names["value"])
    assert np.isfinite(names["mean"].value())
    assert "ratio/max" in names["metrics"]
    assert np.any(names["gradients"]["embed"])
    assert names["numbers"]["q/mean"] == pytest.approx(1.24)
