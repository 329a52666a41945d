"""Large blocks of memory that go back to the system as soon as they are freed.

A network over a patch takes and frees blocks of many megabytes. The C library of Linux keeps those
below 32 MiB for later use, in pieces: a fifth of the peak of a prediction.
"""

from __future__ import annotations

import ctypes
import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MMAP_THRESHOLD = -3  # glibc's number of the setting
SMALL, USUAL = 4 << 20, 32 << 20  # bytes; the latter is as far as glibc itself would raise it


@contextmanager
def returned_when_freed() -> Iterator[None]:
    """Blocks of 4 MiB and more are returned when freed; elsewhere than on glibc nothing changes."""
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    library = ctypes.CDLL(None)
    library.malloc_trim(0)
    library.mallopt(MMAP_THRESHOLD, SMALL)
    try:
        yield
    finally:
        library.mallopt(MMAP_THRESHOLD, USUAL)
        library.malloc_trim(0)
