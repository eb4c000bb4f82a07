"""One verifier pool and the sampled data."""

from pathlib import Path

import pytest

from sage_jax.rewards import VerifierPool


@pytest.fixture(scope="session")
def pool():
    with VerifierPool(num_workers=1) as verifier:
        yield verifier


@pytest.fixture(scope="session")
def fixtures() -> Path:
    return Path(__file__).parent / "fixtures"
