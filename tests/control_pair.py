"""A small patient before and after an ablation whose margin is known."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Grid, LabelMap, Mask, Quantity, Volume
from netseg.phantom.ablated import AblatedPair, ControlSetup, Known, make_control
from netseg.phantom.ablated_motion import MotionPrior
from netseg.phantom.ablated_zone import ZoneOrder

if TYPE_CHECKING:
    from pathlib import Path

BREATH = MotionPrior(turn_deg=1.0, breath_mm=(8.0, 8.0), shift_mm=2.0, bend_mm=0.0)
LIVER, TUMOUR, VESSEL = 112.0, 70.0, 165.0


@lru_cache
def known() -> Known:
    """A liver of unequal half axes with three vessels, and a tumour of 9 mm radius in it."""
    affine = np.diag((2.5, 2.5, 2.5, 1.0))
    affine[:3, 3] = -2.5 * np.array((31.5, 27.5, 25.5))
    grid = Grid((64, 56, 52), affine, "1.2.3")
    x, y, z = np.moveaxis(grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0)
    liver = (x / 68) ** 2 + (y / 52) ** 2 + (z / 46) ** 2 <= 1
    liver &= ~((x > 20) & (z < -15))
    tumour = (x + 25) ** 2 + (y + 5) ** 2 + (z - 5) ** 2 <= 81
    vessels = np.hypot(y - 20, z + 5) <= 5
    vessels |= np.hypot(x - 15, z - 10 - 0.3 * y) <= 4
    vessels |= np.hypot(x + 5 + 0.5 * z, y - 5) <= 4
    hu = np.full(grid.shape, -80.0, np.float32)
    hu[liver] = LIVER
    hu[vessels & liver] = VESSEL
    hu[tumour] = TUMOUR
    return Known(
        source=Volume(hu, grid, Quantity.HU),
        liver=Mask(liver, grid),
        lesions=LabelMap(tumour.astype(np.uint8), grid),
        vessels=Mask(vessels & liver & ~tumour, grid),
    )


@lru_cache
def pair(margin_mm: float) -> AblatedPair:
    rng = np.random.default_rng(7)
    base = known()
    values = base.source.values + rng.normal(0.0, 8.0, base.source.grid.shape).astype(np.float32)
    planning = Volume(values, base.source.grid, Quantity.HU)
    setup = ControlSetup(zones=(ZoneOrder(lesions=(1,), margin_mm=margin_mm),), motion=BREATH)
    return make_control(planning, base, setup, rng)


def write_pair(made: AblatedPair, folder: Path) -> None:
    """Both scans with their masks: pre, post, lesion, liver_pre, liver_post, zone."""
    import nibabel

    base = known()
    before, after = made.planning.grid, made.control.grid
    for name, values, grid in (
        ("pre", made.planning.values, before),
        ("post", made.control.values, after),
        ("lesion", base.lesions.labels, before),
        ("liver_pre", base.liver.inside, before),
        ("liver_post", made.liver.inside, after),
        ("zone", made.zone.inside, after),
    ):
        affine = np.diag((-1.0, -1.0, 1.0, 1.0)) @ grid.affine_lps  # NIfTI counts in RAS
        kind = np.int16 if name in ("pre", "post") else np.uint8
        image = nibabel.Nifti1Image(np.rint(np.asarray(values, np.float32)).astype(kind), affine)
        nibabel.save(image, folder / f"{name}.nii.gz")
