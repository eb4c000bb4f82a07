"""Memory that was freed and that the C library holds on to."""

import ctypes


def trim() -> None:
    """Give freed pages of every heap back to the system, where the C library can (`malloc_trim`).

    glibc has a heap for each thread and gives back only what lies at its end. Fewer heaps
    (`MALLOC_ARENA_MAX=1`) would not grow either, and make a small model's step half as long again.
    """
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)
