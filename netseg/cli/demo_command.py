"""`netseg demo`: a synthetic patient, carried from DICOM files to a report."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

log = logging.getLogger(__name__)


def execute(words: argparse.Namespace) -> int:
    """Write the study, run it like any other, print where its report is."""
    from netseg.cli.configuration import compose
    from netseg.cli.run_command import run
    from netseg.phantom import make_phantom, write_dicom_study

    out = Path(words.output)
    log.info("a synthetic patient with NET liver metastases, seed %d …", words.seed)
    written = write_dicom_study(make_phantom(words.seed), out / "patient")
    settings = compose("infer")
    settings["input"], settings["output"] = written.study, out / "result"
    log.info("the study is at %s, its truth at %s", written.study, written.truth)
    settings["clinical"], settings["device"] = written.case, words.device
    code = run(settings)
    report = next(iter(sorted((out / "result").glob("*/report.html"))), None)
    if report is not None:
        sys.stdout.write(f"report: {report.resolve()}\n")
    return code
