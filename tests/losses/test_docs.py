"""The examples in docs/losses.md run."""

import numpy as np
import pages
import pytest

PAGE = "docs/losses.md"


def test_examples_of_the_page_run():
    blocks = pages.blocks(PAGE, "python")
    assert len(blocks) == 3
    assert sum(bool(line.strip()) for line in blocks[0].splitlines()) <= 30
    names = {}
    for block in blocks:
        exec(compile(block, PAGE, "exec"), names)
    assert np.isfinite(names["value"])
    assert np.isfinite(names["mean"].value())
    assert "ratio/max" in names["metrics"]
    assert np.any(names["gradients"]["embed"])
    assert names["numbers"]["q/mean"] == pytest.approx(1.24)
