"""Fixed examples, a folder for a file at a time, and the mutations beside this file importable."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A folder that the examples of a test share, since each of them writes what it reads."""
    return tmp_path_factory.mktemp("fuzz")
