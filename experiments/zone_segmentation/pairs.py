"""Pairs with a known zone: in phantoms, in real livers that may be trained on, in the real CT."""

import os
from pathlib import Path

import numpy as np
from scipy import ndimage
from train_zone import liver_scenery

from netseg.domain import Grid, LabelMap, Mask, Phase, Quantity, Volume
from netseg.geometry.extent import bounding_box, crop, isotropic_grid
from netseg.geometry.resample import resample, resample_mask
from netseg.phantom import LesionKind, LesionSpec, make_phantom, render_ct
from netseg.phantom.ablated import ControlSetup, Known, denoised, make_control
from netseg.phantom.ablated_motion import MotionPrior
from netseg.phantom.ablated_paint import ControlLooks
from netseg.phantom.ablated_zone import ZoneOrder
from netseg.phantom.ct import CtContrast
from netseg.study.masks import read_instances, read_mask
from netseg.study.nifti import read_volume_file

HERE = Path(__file__).parent
DATA = Path(os.environ.get("NETSEG_DATA") or HERE.parents[2] / "shared" / "data")
ROOM_MM = 50.0  # around the lesion
ASTRAY_MM = 4.0  # what a registration by the livers leaves
LOOKS = {
    "plain": {},
    "rim +15 HU": {"rim_hu": 15.0},
    "rim +30 HU": {"rim_hu": 30.0},
    "gas": {"gas": 12},
    "needle in place": {"needle": True},
    "dense core": {"core_hu": 90.0},
    "noise 20 HU": {"noise_hu": 20.0},
    "noise 30 HU": {"noise_hu": 30.0},
    "contrast 30 HU": {"zone_hu": 74.0},
    "contrast 20 HU": {"zone_hu": 84.0},
    "contrast 12 HU": {"zone_hu": 92.0},
    "rim, gas, core, needle": {"rim_hu": 25.0, "gas": 8, "core_hu": 85.0, "needle": True},
}
SLICES = {"slices of 2.5 mm": (1.0, 1.0, 2.5), "slices of 5 mm": (1.0, 1.0, 5.0)}
LIVER_LOOKS = {
    "liver": {},
    "liver: rim, gas": {"rim_hu": 25.0, "gas": 8},
    "liver: less contrast": {},
    "liver: 5 mm slices": {},
}
STILL = MotionPrior(turn_deg=1.0, breath_mm=(0.0, 2.0), shift_mm=1.0, bend_mm=3.0)


def phantom_around_lesion(seed):
    """The surroundings of a lesion of 14 to 22 mm on 1.5 mm voxels, with noise and without."""
    diameter = float(np.random.default_rng(seed).uniform(14.0, 22.0))
    spec = LesionSpec(diameter_mm=diameter, elongation=1.15, irregularity=0.1, kind=LesionKind.HYPOVASCULAR)  # fmt: skip
    phantom = make_phantom(seed, spacing_mm=(1.5, 1.5, 1.5), lesions=[spec])
    start, shape = bounding_box(phantom.lesions.region(), ROOM_MM)
    loud, silent = (
        crop(render_ct(phantom, Phase.PORTAL_VENOUS, np.random.default_rng(seed), contrast=CtContrast(noise_hu=hu)), start, shape)
        for hu in (12.0, 0.0)
    )  # fmt: skip
    known = Known(
        source=silent,
        liver=crop(phantom.liver, start, shape),
        lesions=crop(phantom.lesions, start, shape),
        blobs={n: b for n, b in phantom.blobs.items() if n > 0},
    )
    return loud, known, diameter


def ordered(diameter, seed, looks, spacing_mm=None):
    """An ellipsoid 2 to 9 mm beyond the lesion, bulging, up to 3 mm aside."""
    rng = np.random.default_rng((seed, 7))
    half = (diameter / 2 + rng.uniform(2.0, 9.0)) * rng.uniform(0.95, 1.2, 3)
    order = ZoneOrder(
        lesions=(1,), half_axes_mm=(float(half[0]), float(half[1]), float(half[2])), rough_mm=1.0,
        offset_mm=(float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3)), float(rng.uniform(-3, 3))),
    )  # fmt: skip
    return ControlSetup(zones=(order,), looks=ControlLooks(**looks), motion=STILL, spacing_mm=spacing_mm)  # fmt: skip


def phantom_pairs(seeds, cases):
    """Phantoms, by seed and case."""
    for seed in seeds:
        loud, known, diameter = phantom_around_lesion(seed)
        for name in cases:
            setup = ordered(diameter, seed, LOOKS.get(name, {}), SLICES.get(name))
            yield name, seed, make_control(loud, known, setup, np.random.default_rng((seed, 8)))


def liver_pairs(livers, seeds):
    """Lesions and zones painted into real livers that may be trained on, in surroundings made up."""
    for liver in livers:
        path = DATA / "ct_liver_roi_train" / f"ircad{liver}_ct_liveronly.nii.gz"
        if not path.is_file():
            continue
        scenery = liver_scenery(path)
        depth = ndimage.distance_transform_edt(scenery.liver) * 1.5
        for seed in seeds:
            number = 100 * int(liver) + seed
            rng = np.random.default_rng((number, 3))
            diameter = float(rng.uniform(14.0, 30.0))
            near = np.argwhere((depth > diameter / 2 - 2.0) & (depth < diameter / 2 + 20.0))
            at = near[rng.integers(len(near))]
            known = lesion_in(scenery, at, diameter, rng)
            level = float(np.median(scenery.hu[scenery.liver]))
            for name, looks in LIVER_LOOKS.items():
                less = 18.0 + rng.uniform(0.0, 10.0) if name == "liver: less contrast" else 0.0
                hu = level - (less or rng.uniform(35.0, 60.0))
                given = {"noise_hu": 10.0, "zone_hu": hu, **looks}
                spacing = (1.0, 1.0, 5.0) if name == "liver: 5 mm slices" else None
                setup = ordered(diameter, number, given, spacing)
                yield name, number, make_control(known.source, known, setup, np.random.default_rng((number, 8)))  # fmt: skip


def lesion_in(scenery, at, diameter, rng):
    """A ball of lesion in a real liver freed of its noise, and what lies 5 cm around it."""
    grid = Grid(scenery.hu.shape, np.diag((1.5, 1.5, 1.5, 1.0)), "1.2.3")
    away = np.linalg.norm((np.moveaxis(np.indices(grid.shape), 0, -1) - at) * 1.5, axis=-1)
    ball = (away <= diameter / 2) & scenery.liver
    start, shape = bounding_box(Mask(ball, grid), ROOM_MM)
    scan = crop(Volume(scenery.hu, grid, Quantity.HU), start, shape)
    hu = denoised(scan, 10.0).values.copy()
    inside = crop(Mask(ball, grid), start, shape)
    hu[inside.inside] += np.float32(rng.uniform(-45.0, -15.0))
    return Known(
        source=Volume(hu, scan.grid, Quantity.HU),
        liver=crop(Mask(scenery.liver, grid), start, shape),
        lesions=LabelMap(inside.inside.astype(np.uint8), scan.grid),
    )


def real_pairs():
    """The real CT's two lesions (79 and 86 ml) with zones 6 mm beyond them, up to the capsule."""
    folder = DATA / "ct_ircadb17"
    if not folder.is_dir():
        raise SystemExit(f"{folder} not found; set NETSEG_DATA to the folder that holds it")
    ct = read_volume_file(folder / "ct.nii.gz", Quantity.HU)
    liver = read_mask(f"{folder / 'liver_lesion.nii.gz'}:1,2", ct.grid)
    lesions = read_instances(f"{folder / 'lesion_instances.nii.gz'}:instances", ct.grid)
    for number in lesions.values:
        start, shape = bounding_box(lesions.region(number), ROOM_MM)
        grid = isotropic_grid(ct.grid.crop(start, shape), 1.6)
        scan = resample(ct, grid, outside=-1000.0)
        own = resample_mask(lesions.region(number), grid)
        scan = Volume(np.rint(scan.values).astype(np.int16), grid, Quantity.HU)
        known = Known(
            source=denoised(scan, 12.0),
            liver=resample_mask(liver, grid),
            lesions=LabelMap(own.inside.astype(np.uint8), grid),
        )
        for name, looks in (("real", {}), ("real: rim, gas", {"rim_hu": 25.0, "gas": 8})):
            setup = ControlSetup(
                zones=(ZoneOrder(lesions=(1,), margin_mm=6.0, rough_mm=0.8),),
                looks=ControlLooks(**looks),
            )
            pair = make_control(scan, known, setup, np.random.default_rng(number))
            yield name, number, pair


def astray(lesions, seed):
    """The lesions shifted by 4 mm in a random direction."""
    way = np.random.default_rng((seed, 9)).normal(size=3)
    steps = np.rint(ASTRAY_MM * way / np.linalg.norm(way) / lesions.grid.spacing_mm).astype(int)
    return LabelMap(np.roll(lesions.labels, steps, axis=(0, 1, 2)), lesions.grid)
