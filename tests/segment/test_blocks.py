"""Freed memory goes back to the system while a network works."""

import platform
import subprocess
import sys

import pytest

from netseg.segment.blocks import returned_when_freed

RESIDENT = """
from pathlib import Path
import numpy as np
from netseg.segment.blocks import returned_when_freed

def resident_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024

with returned_when_freed():
    start = resident_mib()
    blocks = [np.ones(2 << 20, np.float32) for _ in range(20)]  # 8 MiB each
    full = resident_mib()
    del blocks[:-1]  # the last one lies above them all and would hold a heap open
    print(full - start > 150, resident_mib() - start < 30)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's own")
def test_a_block_below_a_kept_one_is_returned():
    told = subprocess.run(  # a process of its own: others have left their heap in any state
        [sys.executable, "-c", RESIDENT], capture_output=True, text=True, check=False, timeout=60
    )
    assert told.stdout.split() == ["True", "True"], told.stderr


def test_what_is_raised_inside_comes_out():
    with pytest.raises(ValueError, match="inside"), returned_when_freed():
        raise ValueError("inside")
