"""`netseg demo`: a synthetic patient, carried from DICOM files to a report."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from netseg.phantom import Phantom

log = logging.getLogger(__name__)


def execute(words: argparse.Namespace) -> int:
    """Write the study, run it like any other, print where its report is."""
    from netseg.cli.configuration import compose
    from netseg.cli.run_command import run
    from netseg.phantom import make_phantom, write_dicom_study

    out = Path(words.output)
    log.info("a synthetic patient with NET liver metastases, seed %d …", words.seed)
    phantom = make_phantom(words.seed)
    written = write_dicom_study(phantom, out / "patient")
    settings = compose("infer")
    settings["input"], settings["output"] = written.study, out / "result"
    log.info("the study is at %s, its truth at %s", written.study, written.truth)
    settings["clinical"], settings["device"] = written.case, words.device
    code = run(settings)
    report = next(iter(sorted((out / "result").glob("*/report.html"))), None)
    if report is None:
        return code
    sys.stdout.write(f"report: {report.resolve()}\n")
    return _after(words, phantom, written.study, report.parent) if words.control else code


def _after(words: argparse.Namespace, phantom: Phantom, planning: Path, result: Path) -> int:
    """Ablate the patient, scan again, and check the margins as a user would."""
    import shlex

    from netseg.cli.parser import parse_words
    from netseg.cli.verify_command import execute as verify
    from netseg.phantom.control_study import write_control_study

    out = Path(words.output)
    log.info("the same patient after an ablation, on another day …")
    written = write_control_study(phantom, out / "control")
    command = [
        "verify",
        *("--pre", str(planning), "--post", str(written.study)),
        *("--lesion", f"{result / 'lesions.nii.gz'}:instances"),
        *("--liver", str(result / "liver.nii.gz")),
        *("--device", words.device, "-o", str(out / "control_check")),
    ]
    log.info("netseg %s", shlex.join(command))
    code = verify(parse_words(command))
    sys.stdout.write(f"control scan: {(out / 'control_check' / 'margin.html').resolve()}\n")
    return code
