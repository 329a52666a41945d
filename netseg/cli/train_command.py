"""`netseg train`: the same as `python train.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def execute(words: argparse.Namespace) -> int:
    """Compose the training configuration and run it."""
    from netseg.cli.configuration import compose
    from netseg.cli.registry import build
    from netseg.training.run import run

    run(compose("train", words.overrides), build)
    return 0
