"""What happens to a study, from the scans to the proposal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import netseg
from netseg.allocate import allocate, argued, combine
from netseg.domain.provenance import Provenance
from netseg.domain.result import StudyResult
from netseg.findings import measure
from netseg.pipeline.clinical import told_by_images
from netseg.pipeline.doubt import told_doubt
from netseg.pipeline.prediction import predict_zones, unite
from netseg.pipeline.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from netseg.domain import Grid, LabelMap, Segmentation, Study
    from netseg.domain.clinical import ClinicalFindings
    from netseg.pipeline.control import ControlScan
    from netseg.pipeline.stations import Stations


def process_study(
    study: Study,
    stations: Stations,
    case: ClinicalFindings | None = None,
    watch: Stopwatch | None = None,
    obstacles: Callable[[Grid], LabelMap] | None = None,
    control: ControlScan | None = None,
) -> StudyResult:
    """Carry one study through all stations.

    Args:
        study: The scans, as `netseg.study.read_study` gives them.
        stations: What does the work.
        case: What the clinicians know (Ki-67, primary, …); None when nothing is known.
        watch: Notes how long each station took.
        obstacles: Reads what a needle must not cross, beyond what the planner finds itself, on the
            grid of the segmented series.
        control: A scan made after the ablation; its margins count, the plan's are kept beside.

    Returns:
        Everything the stations said; nothing is written.

    Raises:
        StudyRejectedError: If a station cannot answer for this study.
    """
    watch = watch or Stopwatch()
    if control is not None:
        study = replace(study, secrets=study.secrets | control.study.secrets)
    with watch.station("segment"):
        segmentation = stations.outline(study)
    with watch.station("findings"):
        findings = measure(study, segmentation)
    with watch.station("plan"):
        plan = None
        planner, ablation = stations.planner, stations.ablation
        if planner is not None and ablation is not None and findings.lesions:
            given = obstacles(segmentation.lesions.grid) if obstacles else None
            plan = planner.plan(study, segmentation, findings, ablation, given)
    with watch.station("simulate"):
        zones = predict_zones(plan, segmentation, stations.ablation)
        zone = unite(zones, segmentation.lesions.grid)
    with watch.station("verify"):
        margin = None
        if zone is not None:
            margin = stations.margin.check(
                segmentation.lesions, zone, observed=False, liver=segmentation.liver
            )
    seen = None
    if control is not None:
        with watch.station("control"):
            planned = None if zone is None else zone.mask
            seen = stations.check(study, segmentation, control, planned)
    with watch.station("allocate"):
        clinical = combine(case, findings, margin)
        if seen is not None:
            clinical = combine(clinical, None, seen.margin)
        clinical = told_by_images(clinical, study, segmentation, findings)
        allocation = argued(allocate(clinical, stations.rules), clinical, stations.rules)
        doubt = told_doubt(clinical, stations.rules)
    said = (study, segmentation, findings, plan, margin, seen)
    return StudyResult(
        study=study,
        segmentation=segmentation,
        findings=findings,
        clinical=clinical,
        plan=plan,
        zone=zone,
        zones=zones,
        margin=margin,
        control=seen,
        allocation=allocation,
        doubt=doubt,
        provenance=_provenance(study, segmentation, stations, control),
        warnings=tuple(w for station in said if station is not None for w in station.warnings),
    )


def _provenance(
    study: Study, segmentation: Segmentation, stations: Stations, control: ControlScan | None
) -> Provenance:
    inputs = {s.key: s.input_sha256 for s in study.series}
    if control is not None:
        inputs |= {f"control {s.key}": s.input_sha256 for s in control.study.series}
    return Provenance(
        netseg_version=netseg.__version__,
        config_sha256=stations.config_sha256,
        weights_sha256=segmentation.provenance.weights_sha256,
        input_sha256=inputs,
        rules_sha256=stations.rules.sha256,
    )
