"""The margin benchmark: registrations and margin methods on pairs whose truth is known.

python experiments/margin_benchmark/measure.py                        # the table of the README
python experiments/margin_benchmark/measure.py --variants plain --seeds 1 --methods rigid truth
python experiments/margin_benchmark/measure.py --real                 # on the real CT as well
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path

import numpy as np
from cases import VARIANTS, real, synthetic
from margins import METHODS as MARGINS
from registrations import METHODS, usable
from score import Case, folds, landmark_errors, margin_errors, roughly_carried

from netseg.domain import NetsegError
from netseg.phantom.ablated_zone import ZoneOrder
from netseg.verify.zone import ClassicZone

HERE = Path(__file__).parent
DATA = Path(os.environ.get("NETSEG_DATA") or HERE.parents[2] / "shared" / "data")
DEFAULT = (
    "none", "rigid", "demons raw", "demons inpainted", "netseg demons", "netseg gauss_newton",
    "netseg gauss_newton, zone not told", "end to end", "truth, zone found", "truth",
)  # fmt: skip
REAL = ("rigid", "demons raw", "netseg gauss_newton", "end to end", "truth")
ORDERS = {
    "6 mm around both": (ZoneOrder(lesions=(1,), margin_mm=6.0), ZoneOrder(lesions=(2,), margin_mm=6.0)),
    "3 mm around both": (ZoneOrder(lesions=(1,), margin_mm=3.0), ZoneOrder(lesions=(2,), margin_mm=3.0)),
    "8 mm, shifted by 5": (
        ZoneOrder(lesions=(1,), margin_mm=8.0, offset_mm=(0.0, 0.0, 5.0)),
        ZoneOrder(lesions=(2,), margin_mm=8.0, offset_mm=(5.0, 0.0, 0.0)),
    ),
}  # fmt: skip
logger = logging.getLogger("margin_benchmark")


def end_to_end(case):
    """Zone found, not told: rigid without it, the zone at the lesions so placed, then the rest."""
    rough = roughly_carried(
        case, METHODS["rigid"](Case(case.name, case.pair, case.known, None, case.liver))
    )
    found = ClassicZone().zone(case.control, rough, case.liver)
    told = Case(case.name, case.pair, case.known, found.mask, case.liver, found)
    return METHODS["netseg gauss_newton"](told), told


def zone_found(case):
    """The known motion, and the zone found at the lesions so carried: what the outline alone costs."""
    known = METHODS["truth"](case)
    found = ClassicZone().zone(case.control, roughly_carried(case, known), case.liver)
    return known, Case(case.name, case.pair, case.known, found.mask, case.liver, found)


FINDERS = {"end to end": end_to_end, "truth, zone found": zone_found}


def run(case, name):
    """One row: a method on a case."""
    row = {"case": case.name, "method": name}
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        registration, case = FINDERS[name](case) if name in FINDERS else (METHODS[name](case), case)
    except NetsegError as refusal:
        return row | {"refused": str(refusal)}
    row |= {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    row |= landmark_errors(case, registration)
    row["folds"] = folds(case, registration)
    row["error_mm"] = registration.error_mm
    row["gates_failed"] = [n for n, g in registration.gates.items() if g.passed is False]
    if case.found is not None:
        row["zone_dice"] = float(
            2 * (case.zone.inside & case.pair.zone.inside).sum()
            / (case.zone.inside.sum() + case.pair.zone.inside.sum())
        )  # fmt: skip
    methods = tuple(MARGINS) if name in ("truth", "netseg gauss_newton") else ("netseg",)
    row["lesions"] = margin_errors(case, registration, methods)
    return row


def cases_of(wanted):
    for name in wanted.variants:
        for seed in wanted.seeds:
            pair, known = synthetic(VARIANTS[name], seed)
            yield name, Case(f"{name}/{seed}", pair, known, pair.zone, pair.liver)
    if wanted.real:
        folder = DATA / "ct_ircadb17"
        if not folder.is_dir():
            raise SystemExit(f"{folder} not found; set NETSEG_DATA to the folder that holds it")
        for seed, (name, orders) in enumerate(ORDERS.items(), start=1):
            pair, known = real(folder, seed, orders)
            yield "real", Case(f"real/{name}", pair, known, pair.zone, pair.liver)


def summary(rows):
    """One line per variant and method."""
    lines = []
    for key in dict.fromkeys((r["variant"], r["method"]) for r in rows):
        own = [r for r in rows if (r["variant"], r["method"]) == key]
        good = [r for r in own if "refused" not in r]
        margins = [m for r in good for m in r["lesions"]]
        for margin in [m for m in MARGINS if margins and any(margins_has(x, m) for x in margins)]:
            errors = np.array([x[margin]["error_mm"] for x in margins if x.get(margin)])
            lines.append(
                {
                    "variant": key[0], "registration": key[1], "margin": margin,
                    "cases": len(own), "refused": len(own) - len(good), "lesions": len(errors),
                    "tre_mm": mean(good, "tre_mm"), "tre_p95_mm": mean(good, "tre_p95_mm"),
                    "tre_near_mm": mean(good, "tre_near_mm"),
                    "margin_bias_mm": float(errors.mean()), "margin_mae_mm": float(np.abs(errors).mean()),
                    "margin_worst_mm": float(np.abs(errors).max()),
                    "false_a0": sum(x[margin]["false_a0"] for x in margins if x.get(margin)),
                    "missed_a0": sum(x[margin]["missed_a0"] for x in margins if x.get(margin)),
                    "volume_error": float(np.mean([x["volume_error"] for x in margins])),
                    "folds": mean(good, "folds"), "cpu_s": mean(good, "cpu_s"),
                    "zone_dice": mean([r for r in good if "zone_dice" in r], "zone_dice"),
                }
            )  # fmt: skip
    return lines


def margins_has(row, name):
    return row.get(name) is not None


def mean(rows, name):
    values = [r[name] for r in rows if r.get(name) is not None]
    return float(np.mean(values)) if values else None


def table(lines):
    head = ("variant", "registration", "margin", "TRE / P95 / near", "margin bias / MAE / worst", "false / missed A0", "tumour vol", "folds", "CPU s")  # fmt: skip
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for line in lines:
        tre = " / ".join("-" if line[n] is None else f"{line[n]:.2f}" for n in ("tre_mm", "tre_p95_mm", "tre_near_mm"))  # fmt: skip
        margin = f"{line['margin_bias_mm']:+.2f} / {line['margin_mae_mm']:.2f} / {line['margin_worst_mm']:.2f}"  # fmt: skip
        wrong = f"{line['false_a0']} / {line['missed_a0']} of {line['lesions']}"
        cells = (line["variant"], line["registration"], line["margin"], tre, margin, wrong, f"{line['volume_error']:+.0%}", f"{line['folds']:.2%}", f"{line['cpu_s']:.1f}")  # fmt: skip
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument(
        "--methods", nargs="*", default=list(DEFAULT), help=f"of {[*METHODS, *FINDERS]}"
    )
    parser.add_argument(
        "--real", action="store_true", help="also on the real CT of the data folder"
    )
    parser.add_argument(
        "--add", action="store_true", help="add to the recorded figures, replacing the same rows"
    )
    parser.add_argument("-o", "--output", type=Path, default=HERE / "figures.json")
    wanted = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rows = []
    if wanted.add and wanted.output.exists():
        rows = json.loads(wanted.output.read_text())["rows"]
    for variant, case in cases_of(wanted):
        methods = [m for m in wanted.methods if variant != "real" or m in REAL or m not in DEFAULT]
        for name in methods:
            why_not = usable(name)
            if why_not:
                logger.info("%s: left out, %s", name, why_not)
                continue
            rows = [r for r in rows if (r["case"], r["method"]) != (case.name, name)]
            rows.append({"variant": variant} | run(case, name))
            logger.info(
                "%s",
                table(summary(rows[-1:])).splitlines()[-1]
                if "refused" not in rows[-1]
                else rows[-1],
            )
        document = {"rows": rounded(rows), "summary": rounded(summary(rows))}
        wanted.output.write_text(json.dumps(document, indent=1) + "\n")
    print(table(summary(rows)))


def rounded(value):
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
