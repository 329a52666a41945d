"""`netseg plan`: needles for lesions, with what they are expected to destroy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def execute(words: argparse.Namespace) -> int:
    """Compose the configuration, plan one study or a batch."""
    from netseg.cli.building import build_stations
    from netseg.cli.configuration import compose
    from netseg.cli.run_command import (
        answer,
        find,
        read_hints,
        require_sense,
        say_settings,
    )
    from netseg.pipeline import PlanOnly, output_lock, run_batch

    settings = compose("infer", words.overrides)
    say_settings(settings, words)
    hints = read_hints(settings["study"])
    found = find(settings)
    require_sense(found, hints, settings)
    if words.dry_run:
        from netseg.cli.validate_command import report_studies

        return report_studies(found, hints, words.format)
    job = PlanOnly(stations=build_stations(settings), hints=hints, obstacles=words.obstacles)
    with output_lock(words.output):
        outcome = run_batch(found, words.output, job)
    sys.stdout.write(answer(outcome, words.output, "plan.json", words.format))
    return outcome.exit_code
