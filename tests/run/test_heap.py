"""Freed memory goes back to the system."""

import platform

import numpy as np
import psutil
import pytest

from sage_jax.run import heap

BLOCK, COUNT = 60_000, 3_000


def resident():
    return psutil.Process().memory_info().rss


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc_trim")
def test_what_lies_between_blocks_in_use_is_given_back():
    blocks = [np.ones(BLOCK, np.int8) for _ in range(COUNT)]
    del blocks[:-1]  # The last one keeps the end of the heap, so that free() gives nothing back.
    before = resident()
    heap.trim()
    assert before - resident() > 0.8 * BLOCK * COUNT
    assert blocks[0].all()


def test_without_it_nothing_happens(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    heap.trim()
