"""The verifier as its user runs it, up to P(A0), interval and verdict: against the known margins.

python experiments/margin_benchmark/verdicts.py --real                                    # the real CT
python experiments/margin_benchmark/verdicts.py --variants plain contraction --seeds 10 11 12

The livers are told, the zone is found by `ClassicZone` and, in a second row, told as well. The scans are
registered (way back included, as the error told needs it), and `MarginRule` gets the errors that
registration and zone tell.
"""

import argparse
import json
import time
from pathlib import Path

from cases import VARIANTS
from margins import CUTOFF_MM
from measure import cases_of
from registrations import METHODS
from score import Case, roughly_carried

from netseg.domain import AblationZone, Evidence, NetsegError
from netseg.register.scans import register_scans
from netseg.verify import MarginRule
from netseg.verify.carried import carried_lesions
from netseg.verify.zone import ClassicZone


def verified(case, zone_told):
    """Registration, zone and report of one pair."""
    if zone_told:
        zone = AblationZone(mask=case.pair.zone, evidence=Evidence.CONTROL_SCAN)
    else:
        blind = Case(case.name, case.pair, case.known, None, case.liver)
        rough = roughly_carried(case, METHODS["rigid"](blind))
        zone = ClassicZone().zone(case.control, rough, case.liver)
    registration = register_scans(
        case.control,
        case.planning,
        control_liver=case.liver,
        planning_liver=case.known.liver,
        zone=zone.mask,
        lesions=case.known.lesions,
    )
    rule = MarginRule(required_mm=CUTOFF_MM)
    lesions, fields = carried_lesions(registration, case.known.lesions, case.control.grid)
    report = rule.check(
        lesions,
        zone,
        observed=True,
        liver=case.liver,
        errors=rule.errors_of(registration, zone),
        registration=registration,
        lesion_fields=fields,
    )
    return registration, zone, report


def rows_of(variant, case, zone_told):
    """One row per lesion that a zone was meant for."""
    about = {"variant": variant, "case": case.name, "zone": "told" if zone_told else "found"}
    cpu = time.process_time()
    try:
        registration, zone, report = verified(case, zone_told)
    except NetsegError as refusal:
        return [about | {"refused": str(refusal)}]
    about |= {
        "cpu_s": time.process_time() - cpu,
        "error_told_mm": registration.error_mm,
        "zone_sd_mm": zone.boundary_sd_mm,
        "gates_failed": [n for n, g in registration.gates.items() if g.passed is False],
    }
    found = {lesion.id: lesion for lesion in report.lesions}
    return [about | judged(found[n], true.to_viable_mm) for n, true in case.pair.margins.items()]


def judged(found, true_mm):
    low, high = found.interval_mm or (None, None)
    return {
        "lesion": found.id,
        "true_mm": true_mm,
        "smallest_mm": found.smallest_margin_mm,
        "expected_mm": found.expected_margin_mm,
        "interval_mm": [low, high],
        "covered": None if low is None else bool(low <= true_mm <= high),
        "p_a0": found.p_a0,
        "if_contracted_mm": {f"{c:g}": mm for c, mm in found.contraction_margin_mm.items()},
        "verdict": str(found.verdict),
        "false_a0": found.verdict == "A0" and true_mm < CUTOFF_MM,
        "denied": found.verdict in ("not_A0", "residual") and true_mm >= CUTOFF_MM,
    }


def rounded(value):
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="*", default=[], choices=list(VARIANTS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[10, 11, 12, 13, 14, 15])
    parser.add_argument("--real", action="store_true", help="the real CT of the data folder")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(__file__).with_name("verdicts.json")
    )
    wanted = parser.parse_args()
    rows = []
    for variant, case in cases_of(wanted):
        for zone_told in (False, True):
            rows += rounded(rows_of(variant, case, zone_told))
            wanted.output.write_text(json.dumps(rows, indent=1) + "\n")
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
