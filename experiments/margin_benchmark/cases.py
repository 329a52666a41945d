"""Pairs of planning and control scan whose motion, zone and margin are known."""

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from netseg.domain import Mask, Phase, Quantity, Volume
from netseg.geometry.extent import bounding_box, crop, isotropic_grid
from netseg.geometry.resample import resample, resample_labels, resample_mask
from netseg.phantom import LesionKind, LesionSpec, Tissue, make_phantom, render_ct
from netseg.phantom.ablated import ControlSetup, Known, denoised, make_control
from netseg.phantom.ablated_motion import MotionPrior
from netseg.phantom.ablated_paint import ControlLooks
from netseg.phantom.ablated_zone import ZoneOrder
from netseg.phantom.ct import CtContrast
from netseg.study.masks import read_instances, read_mask
from netseg.study.nifti import read_volume_file

ROOM_MM = 25.0  # around the liver
NOISE_HU = 12.0
# The field of view is wider than the liver, and the prior's bend is the largest in it: this leaves about
# 7 mm in the liver, and rigid landmark errors of 2 mm, as the reference measurements have them.
BEND_MM = 10.5


@dataclass(frozen=True)
class Variant:
    """What makes a case hard."""

    name: str
    says: str
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)
    motion: MotionPrior = field(default_factory=lambda: MotionPrior(bend_mm=BEND_MM))
    looks: ControlLooks = field(default_factory=ControlLooks)
    noise_hu: float = NOISE_HU


HARD = ControlLooks(rim_hu=25.0, gas=8, core_hu=85.0)
VARIANTS = {
    v.name: v
    for v in (
        Variant("plain", "breathing shift 6-14 mm, bending to 7 mm in the liver, erased vessels, noise 12 HU"),
        Variant("contraction", "plain, and the zone has shrunk by 12 % linearly",
                motion=MotionPrior(bend_mm=BEND_MM, contraction=0.12)),
        Variant("noise", "plain, with noise of 24 HU in both scans", noise_hu=24.0,
                looks=ControlLooks(noise_hu=24.0)),
        Variant("rim", "plain, with rim enhancement, gas and a dense core", looks=HARD),
        Variant("slices_1.0", "plain on 1.5 x 1.5 x 1 mm", spacing_mm=(1.5, 1.5, 1.0)),
        Variant("slices_2.5", "plain on 1.5 x 1.5 x 2.5 mm", spacing_mm=(1.5, 1.5, 2.5)),
        Variant("slices_5.0", "plain on 1.5 x 1.5 x 5 mm", spacing_mm=(1.5, 1.5, 5.0)),
    )
}  # fmt: skip


def synthetic(variant, seed):
    """One phantom pair: a hypovascular lesion of 16 to 24 mm, a zone that reaches 0 to 9 mm beyond."""
    rng = np.random.default_rng((seed, 0x4D))
    diameter = float(rng.uniform(16.0, 24.0))
    spec = LesionSpec(
        diameter_mm=diameter, elongation=1.15, irregularity=0.1, kind=LesionKind.HYPOVASCULAR
    )
    phantom = make_phantom(seed, spacing_mm=variant.spacing_mm, lesions=[spec])
    loud, silent = (
        render_ct(
            phantom,
            Phase.PORTAL_VENOUS,
            np.random.default_rng(seed),
            contrast=CtContrast(noise_hu=noise),
        )
        for noise in (variant.noise_hu, 0.0)
    )
    start, shape = bounding_box(phantom.liver, ROOM_MM)
    lumens = np.isin(phantom.tissues.labels, (int(Tissue.PORTAL_VEIN), int(Tissue.HEPATIC_VEIN)))
    known = Known(
        source=crop(silent, start, shape),
        liver=crop(phantom.liver, start, shape),
        lesions=crop(phantom.lesions, start, shape),
        vessels=crop(Mask(lumens, phantom.grid), start, shape),
        blobs={n: b for n, b in phantom.blobs.items() if n > 0},
    )
    off = rng.normal(size=3)
    off *= rng.uniform(0.0, 4.0) / np.linalg.norm(off)
    radius = diameter / 2 + float(np.linalg.norm(off)) + float(rng.uniform(0.0, 9.0))
    half = radius * np.array((1.0, *rng.uniform(1.0, 1.15, 2)))
    order = ZoneOrder(
        lesions=(1,),
        half_axes_mm=(float(half[0]), float(half[1]), float(half[2])),
        offset_mm=(float(off[0]), float(off[1]), float(off[2])),
        rough_mm=0.8,
    )
    setup = ControlSetup(zones=(order,), motion=variant.motion, looks=variant.looks)
    planning = crop(loud, start, shape)
    return make_control(planning, known, setup, np.random.default_rng((seed, 0x43))), known


def real(folder, seed, orders, spacing_mm=2.0):
    """A pair made from the real CT `ct_ircadb17`, cut to its liver.

    Args:
        folder: Holds ct, liver_lesion, lesion_instances and vessels_bone as .nii.gz.
        seed: Of motion and noise.
        orders: The zones.
        spacing_mm: Cubic voxels on which the pair is made.
    """
    ct = read_volume_file(folder / "ct.nii.gz", Quantity.HU)
    liver = read_mask(f"{folder / 'liver_lesion.nii.gz'}:1,2", ct.grid)
    lesions = read_instances(f"{folder / 'lesion_instances.nii.gz'}:instances", ct.grid)
    vessels = read_mask(f"{folder / 'vessels_bone.nii.gz'}:1,2", ct.grid)
    start, shape = bounding_box(liver, ROOM_MM)
    part = crop(ct, start, shape)
    grid = isotropic_grid(part.grid, spacing_mm)
    quiet = ndimage.gaussian_filter(
        part.values.astype(np.float32), [0.4 * spacing_mm / s for s in part.grid.spacing_mm]
    )
    planning = resample(Volume(quiet, part.grid, Quantity.HU), grid, outside=-1000.0)
    planning = Volume(np.rint(planning.values).astype(np.int16), grid, Quantity.HU)
    known = Known(
        source=denoised(planning, NOISE_HU),
        liver=resample_mask(crop(liver, start, shape), grid),
        lesions=resample_labels(crop(lesions, start, shape), grid),
        vessels=resample_mask(crop(vessels, start, shape), grid),
    )
    setup = ControlSetup(zones=tuple(orders), motion=MotionPrior(bend_mm=BEND_MM))
    return make_control(planning, known, setup, np.random.default_rng((seed, 0x52))), known
