"""One verifier pool for the tests that do not hurt it; the suites beside them can be imported."""

import sys
from pathlib import Path

import pytest

from sage_jax.rewards import VerifierPool

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def pool():
    with VerifierPool(num_workers=1) as verifier:
        yield verifier
