"""Where a margin's error comes from: the lesion's place, its shape, or how its motion is simplified.

python experiments/registration/budget.py --pairs 16 --first 0
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))

from experiments.registration.phantom import make_pair
from netseg.domain.registration import Registration
from netseg.register.gauss_newton import bend_by_gauss_newton
from netseg.register.locally_rigid import fit_keeping_volume, fit_rigid
from netseg.register.refine import Scan, _on_one_grid
from netseg.register.scans import _rigid_part
from netseg.register.settings import RegistrationSettings
from netseg.register.transport import to_fixed

CHOICE = RegistrationSettings(engine="gauss_newton", device="cpu")


def found_by(pair, choice=CHOICE):
    """The rigid part and the bend as Gauss-Newton leaves it, before lesions move in one piece."""
    ours = Scan(pair.control, pair.control_liver, pair.zone)
    theirs = Scan(pair.planning, pair.planning_liver, pair.lesions.region())
    rigid = Registration(
        method="rigid",
        fixed=pair.control.grid,
        moving=pair.planning.grid,
        matrix=_rigid_part(ours, theirs, choice),
    )
    seen = _on_one_grid(rigid, ours, theirs, choice)
    return replace(rigid, bend_grid=seen.grid, bend_mm=bend_by_gauss_newton(seen))


def errors(truth, found):
    """Margin error in mm by what is known of the tumour's surface; the zone is the true one."""
    before = truth.tumour_surface_mm(800)
    true, got = truth.to_control(before), to_fixed(found, before)
    centre, radius = truth.zone_mm

    def margin(surface):
        return radius - np.linalg.norm(surface - centre, axis=1).max()

    def placed(fit, after):
        matrix, shift = fit(before, after)
        return before @ matrix.T + shift

    def at(surface, other):
        return surface - surface.mean(axis=0) + other.mean(axis=0)

    surfaces = {
        "true motion, lesion rigid": placed(fit_rigid, true),
        "true motion, lesion stretched at constant volume": placed(fit_keeping_volume, true),
        "found place, true shape": at(true, got),
        "true place, found shape": at(got, true),
        "found motion, lesion rigid": placed(fit_rigid, got),
        "found motion, lesion stretched at constant volume": placed(fit_keeping_volume, got),
        "found motion as it is": got,
    }
    return {name: margin(surface) - margin(true) for name, surface in surfaces.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--first", type=int, default=0, help="seed of the first pair")
    asked = parser.parse_args(argv)
    rows = []
    for seed in range(asked.first, asked.first + asked.pairs):
        pair = make_pair(np.random.default_rng(seed))
        rows.append(errors(pair.truth, found_by(pair)))
    print(table(rows))


def table(rows):
    """Bias, mean absolute error and worst."""
    out = ["| what is known | bias / mean abs. / worst, mm |", "| --- | --- |"]
    for name in rows[0]:
        found = np.array([row[name] for row in rows])
        out.append(
            f"| {name} | {found.mean():+.2f} / {abs(found).mean():.2f} / {abs(found).max():.2f} |"
        )
    return "\n".join(out)


if __name__ == "__main__":
    main()
