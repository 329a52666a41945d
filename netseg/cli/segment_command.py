"""`netseg segment`: liver, metastases and their measures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def execute(words: argparse.Namespace) -> int:
    """Compose the configuration, segment one study or a batch."""
    from netseg.cli.building import build_stations
    from netseg.cli.configuration import compose
    from netseg.cli.run_command import (
        answer,
        backend_overrides,
        find,
        read_hints,
        require_sense,
        say_settings,
    )
    from netseg.pipeline import SegmentOnly, output_lock, run_batch

    overrides = [*backend_overrides(words), "plan=none", *words.overrides]
    settings = compose("infer", overrides)
    say_settings(settings, words)
    if words.weights is not None:
        settings["segment"]["weights"] = str(words.weights)
    hints = read_hints(settings["study"])
    found = find(settings)
    require_sense(found, hints, settings)
    if words.dry_run:
        from netseg.cli.validate_command import report_studies

        return report_studies(found, hints, words.format)
    job = SegmentOnly(stations=build_stations(settings), hints=hints)
    with output_lock(words.output):
        outcome = run_batch(found, words.output, job)
    sys.stdout.write(answer(outcome, words.output, "lesions.csv", words.format))
    return outcome.exit_code
