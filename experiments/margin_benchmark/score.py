"""What a registration is worth: landmarks, the margin it leads to, and what it did to the tumour."""

from dataclasses import dataclass

import numpy as np
from margins import CUTOFF_MM, METHODS, TO_ZONE

from netseg.domain import AblationZone, LabelMap, Mask, Volume
from netseg.register.transport import bend_at, carry_lesions, to_moving
from netseg.verify.carried import carried_lesions

NEAR_MM = 45.0  # of the lesion: where the reference counts its landmarks separately


@dataclass(frozen=True)
class Case:
    """One pair with the outlines a method is given: the true zone and liver, or found ones."""

    name: str
    pair: object
    known: object
    zone: Mask
    liver: Mask
    found: AblationZone | None = None

    @property
    def control(self) -> Volume:
        return self.pair.control

    @property
    def planning(self) -> Volume:
        return self.pair.planning


def landmark_errors(case, registration):
    pair = case.pair
    found = to_moving(registration, pair.landmarks_control_mm)
    error = np.linalg.norm(found - pair.landmarks_planning_mm, axis=1)
    lesion = pair.control.grid.to_mm(np.argwhere(pair.lesions.labels > 0).mean(axis=0))
    near = np.linalg.norm(pair.landmarks_control_mm - lesion, axis=1) < NEAR_MM
    return {
        "tre_mm": float(error.mean()),
        "tre_p95_mm": float(np.percentile(error, 95)),
        "tre_near_mm": float(error[near].mean()) if near.any() else None,
    }


def margin_errors(case, registration, methods=("netseg",)):
    """Error of every lesion's smallest margin, by method, and its volume against the true one."""
    grid = case.control.grid
    carried, fields = carried_lesions(registration, case.known.lesions, grid)  # as the product does
    rows = []
    for number, true in case.pair.margins.items():
        lesion = carried.region(number)
        row = {
            "lesion": number,
            "true_mm": true.to_viable_mm,
            "true_to_zone_mm": true.to_zone_mm,
            "volume_error": lesion.volume_ml / case.pair.lesions.region(number).volume_ml - 1,
        }
        masks = {
            "lesion": lesion,
            "zone": case.zone,
            "liver": case.liver,
            "field": fields.get(number),
        }
        for name in methods:
            if lesion.is_empty:
                row[name] = None
                continue
            wanted = true.to_zone_mm if name in TO_ZONE else true.to_viable_mm
            got = METHODS[name](lesion.inside, case.zone.inside, grid.spacing_mm, masks=masks)
            row[name] = {
                "got_mm": float(got),
                "error_mm": float(got) - wanted,
                "false_a0": bool(got >= CUTOFF_MM > wanted),
                "missed_a0": bool(wanted >= CUTOFF_MM > got),
            }
        rows.append(row)
    return rows


def folds(case, registration):
    """Share of the liver where the map turns tissue inside out."""
    points = case.liver.grid.to_mm(np.argwhere(case.liver.inside)[::7])
    steps = [
        bend_at(registration, points + e) - bend_at(registration, points - e) for e in np.eye(3)
    ]
    jacobian = np.linalg.det(np.eye(3) + np.stack(steps, axis=-1) / 2.0)
    return float((jacobian <= 0).mean())


def roughly_carried(case, registration) -> LabelMap:
    return carry_lesions(registration, case.known.lesions, case.control.grid)
