"""One verifier pool for the tests that do not hurt it."""

import pytest

from sage_jax.rewards import VerifierPool


@pytest.fixture(scope="session")
def pool():
    with VerifierPool(num_workers=1) as verifier:
        yield verifier
