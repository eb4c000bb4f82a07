"""A model with a tokenizer to learn with."""

import byte_models
import pytest


@pytest.fixture(scope="session")
def byte_model(tmp_path_factory):
    """A folder in Hugging Face's format with a tiny Qwen2 and a byte tokenizer."""
    return byte_models.save(tmp_path_factory.mktemp("model") / "tiny")
