"""`netseg ui`: the record of trainings in a browser, and spools loaded into it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def execute(words: argparse.Namespace) -> int:
    """Load the spools that are named, or serve the pages until Ctrl-C."""
    if words.spools:
        return _import(words)
    from netseg.tracking.server import serving

    with serving(words.root, host=words.host, port=words.port) as (address, process):
        sys.stdout.write(f"{address}\nCtrl-C ends it.\n")
        sys.stdout.flush()
        try:
            return 5 if process.wait() else 0
        except KeyboardInterrupt:  # asked for: nothing was interrupted
            return 0


def _import(words: argparse.Namespace) -> int:
    from netseg.tracking import import_spool, spools_below

    for spool in [found for folder in words.spools for found in spools_below(folder)]:
        done = import_spool(spool, words.root)
        sys.stdout.write(f"{done.run}: {done.events} events, {done.state.lower()}\n")
    return 0
