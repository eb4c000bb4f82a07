"""Settings every test runs under: eight fake CPU devices and JAX's strictest promotion rules."""

import os
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
# Threads of XLA's pool. With no more than one for each fake device, those that wait in a collective
# can leave none for the device they wait for: a whole step over fsdp 8, repeated, then stopped for
# good within 50 turns, and with 32 threads went through 200.
os.environ.setdefault("NPROC", "32")
sys.path.insert(0, str(Path(__file__).parent))  # For what several folders of tests share.

from fast_compile import xla_flags

# Flags that are given come last, and so can bring optimisations back.
os.environ["XLA_FLAGS"] = f"{xla_flags(8)} {os.environ.get('XLA_FLAGS', '')}"

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def byte_model(tmp_path_factory):
    """A folder in Hugging Face's format with a tiny Qwen2 and a byte tokenizer."""
    import byte_models  # Transformers takes seconds, and few tests need it.

    return byte_models.save(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def folder_of_ones_own(tmp_path, monkeypatch):
    """A folder with the files of docs/extending.md, where they are found."""
    import pages

    for name, text in pages.files("docs/extending.md").items():
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in pages.files("docs/extending.md"):
        sys.modules.pop(name.removesuffix(".py"), None)


def pytest_collection_modifyitems(items):
    """Whole pods come first: the longest tests, at the end, would leave one core without work."""
    items.sort(key=lambda item: item.path.name != "test_processes.py")
