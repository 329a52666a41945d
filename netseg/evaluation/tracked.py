"""An evaluation as a run's record: plain figures by name."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.evaluation.bootstrap import Estimate
    from netseg.evaluation.document import Report

_SIGNS = {"<": "below_", ">": "above_"}


def tracked_figures(report: Report) -> dict[str, float]:
    """Every figure with its interval, in names that any store takes; unknown ones are left out."""
    summary = report.summary
    if summary is None:
        return {"refused_cases": float(len(report.errors))}
    found: dict[str, float] = {
        "cases": float(summary.cases),
        "patients": float(summary.patients),
        "lesions": float(summary.lesions),
        "refused_cases": float(len(report.errors)),
        "false_alarms": float(summary.false_alarms),
    }
    estimates: dict[str, Estimate] = dict(summary.figures)
    for name, told in summary.regions.items():
        estimates |= {f"{name}_{figure}": one for figure, one in told.items()}
    for overlap, one in summary.detection.items():
        estimates |= {
            f"lesion_recall.{overlap}": one.recall,
            f"lesion_precision.{overlap}": one.precision,
            f"lesion_f1.{overlap}": one.f1,
        }
    for name, size in summary.by_diameter_mm.items():
        estimates |= {f"lesion_recall.{plain(name)}mm.{o}": e for o, e in size.recall.items()}
    for name, one in estimates.items():
        if one.mean is not None:
            found[name] = one.mean
        if one.ci95 is not None:
            found[f"{name}.ci95_low"], found[f"{name}.ci95_high"] = one.ci95
    for overlap, curve in summary.froc.items():
        found[f"froc_mean_sensitivity.{overlap}"] = curve.mean_sensitivity
    for name, told in summary.calibration.items():
        figures = {"ece": told.ece, "brier": told.brier}
        found |= {f"{n}.{name}": v for n, v in figures.items() if v is not None}
    return found


def plain(name: str) -> str:
    """A size bin in letters, digits and lines.

    >>> plain("<10"), plain("10-20"), plain(">20")
    ('below_10', '10-20', 'above_20')
    """
    return "".join(_SIGNS.get(sign, sign) for sign in name)


def run_name(about: Mapping[str, Any]) -> str:
    """What the run is called: the model, and the data it was held against.

    >>> run_name({"model": "nnU-Net@3", "dataset_sha256": "0123456789ab"})
    'nnU-Net-3-on-01234567'
    """
    model = about.get("model") or f"prediction-{str(about['prediction_sha256'])[:8]}"
    known = re.sub(r"[^A-Za-z0-9._-]+", "-", str(model)).strip("-")[:80] or "model"
    return f"{known}-on-{str(about['dataset_sha256'])[:8]}"


def run_key(about: Mapping[str, Any]) -> str:
    """What tells two evaluations of one model on the same data apart: outlines and settings."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
