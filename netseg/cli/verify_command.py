"""`netseg verify`: how far a zone reaches beyond the lesions."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.domain import MarginReport, Study
    from netseg.domain.control import ControlCheck
    from netseg.pipeline import Stations
    from netseg.pipeline.control import ControlScan

RECORD, SEAL = "run.json", "margin.json"


def execute(words: argparse.Namespace) -> int:
    """Measure margins: between two masks, or in a control scan."""
    from netseg.cli.configuration import compose
    from netseg.export import margin_document, to_json

    settings = compose("infer", words.overrides)
    in_scans = bool(words.pre or words.post)
    report = _from_scans(words, settings) if in_scans else _from_masks(words, settings)
    as_json = words.format == "json"
    sys.stdout.write(to_json(margin_document(report)).decode() if as_json else text(report))
    return 0


def _from_masks(words: argparse.Namespace, settings: dict[str, Any]) -> MarginReport:
    from netseg.export import make_folder, margin_document, write_document

    report = _masks(words, settings)
    if words.output:
        make_folder(words.output)
        write_document(words.output / SEAL, margin_document(report))
    return report


def _from_scans(words: argparse.Namespace, settings: dict[str, Any]) -> MarginReport:
    start = time.perf_counter()
    planning, control, stations = _read(words, settings)
    check = stations.check(planning, stations.outline(planning), control)
    if words.output:
        made = {"wall_s": time.perf_counter() - start, "device": stations.device}
        secrets = planning.secrets | control.study.secrets
        _write(check, words.output, made, secrets)
    return check.margin


def _masks(words: argparse.Namespace, settings: dict[str, Any]) -> MarginReport:
    """Two masks on one grid."""
    for name in ("liver_post", "landmarks", "same_patient", "zone_method"):
        if getattr(words, name):
            raise UsageError(
                Code.CONFIG_RANGE,
                f"--{name.replace('_', '-')} belongs to a control scan, and none was given.",
                hint="Give both scans: --pre SCAN --post SCAN.",
            )
    if not words.zone:
        raise UsageError(
            Code.CONFIG_RANGE,
            "--zone is missing.",
            hint="Say --zone MASK, or give both scans: --pre SCAN --post SCAN.",
        )
    from netseg.cli.registry import build
    from netseg.domain import AblationZone, Evidence
    from netseg.study.masks import read_instances, read_mask

    lesions = read_instances(words.lesion)
    zone = AblationZone(mask=read_mask(words.zone, on=lesions.grid), evidence=Evidence.GIVEN_MASKS)
    liver = read_mask(words.liver, on=lesions.grid) if words.liver else None
    return build(settings["verify"]).check(lesions, zone, observed=words.observed, liver=liver)


def _read(
    words: argparse.Namespace, settings: dict[str, Any]
) -> tuple[Study, ControlScan, Stations]:
    """Planning scan with its lesions, control scan, and who works on them."""
    for name, other in (("pre", "post"), ("post", "pre")):
        if getattr(words, name) is None:
            raise UsageError(
                Code.CONFIG_RANGE,
                f"--{other} needs --{name}: a margin is measured between two scans.",
                hint="For two masks on one grid, give --lesion MASK --zone MASK alone.",
            )
    from netseg.cli.building import build_stations
    from netseg.cli.control_words import control_files, say_zone_method
    from netseg.cli.run_command import read_hints
    from netseg.study import read_study

    settings |= {"device": words.device, "plan": None}
    settings["control"]["scan"] = words.post
    say_zone_method(settings, words)
    said = {"phase": None, "tracer": None, "modality": words.modality}
    hints = read_hints({**said, "liver": words.liver, "lesions": words.lesion})
    control = control_files(words.post, words).read(hints)
    planning = read_study(words.pre, replace(hints, case_id="planning"))
    return planning, control, build_stations(settings)


def _write(
    check: ControlCheck, out: Path, made: Mapping[str, Any], secrets: frozenset[str]
) -> None:
    import netseg
    from netseg.export import require_no_secrets, write_control, write_document, written_together
    from netseg.pipeline import output_lock
    from netseg.report import write_control_report

    with output_lock(out), written_together(out, record=RECORD, seal=SEAL) as folder:
        write_control(check, folder)
        write_control_report(check, folder)
        require_no_secrets(folder, secrets)
        inputs = {"planning": check.planning.input_sha256, "control": check.control.input_sha256}
        files = sorted(file.name for file in folder.iterdir())
        record = {"netseg_version": netseg.__version__, **made, "input_sha256": inputs}
        write_document(folder / RECORD, {**record, "files": [*files, RECORD]})


def text(report: MarginReport) -> str:
    """Margins for people: the registration, then a line and its reasons per lesion."""
    lines: list[str] = []
    if report.registration is not None:
        error = report.registration.get("error_mm")
        told = "its error cannot be told" if error is None else f"error about {error:.1f} mm"
        lines.append(f"registered: {report.registration['method']}; {told}")
    for lesion in report.lesions:
        margin = lesion.smallest_margin_mm
        size = "not assessable" if margin is None else f"{margin:.2f} mm"
        sure = "" if lesion.p_a0 is None else f", P(A0) {lesion.p_a0:.2f}"
        if lesion.interval_mm is not None:
            low, high = lesion.interval_mm
            sure = f" (90 % interval {low:.1f} to {high:.1f}){sure}"
        lines.append(f"lesion {lesion.id}: smallest margin {size}{sure}, {lesion.verdict}")
        lines.extend(f"  {sentence}" for sentence in lesion.why)
    lines.extend(f"{w.code}: {w.message}" for w in report.warnings)
    return "\n".join(lines) + "\n"
