"""Ways to register a pair; each returns a `Registration`, so that all are scored alike.

The product's own are called as its users call them. The others are foils: what one gets from a
library's usual recipe, raw or with the zone and the tumour painted over.
"""

from dataclasses import replace

import numpy as np
import SimpleITK
from scipy import ndimage

from netseg.domain import Volume
from netseg.domain.registration import Registration
from netseg.geometry.extent import bounding_box, crop, isotropic_grid
from netseg.geometry.resample import resample
from netseg.register.scans import register_scans
from netseg.register.settings import Engine, RegistrationSettings

STEP_MM = 2.0
LATTICE_MM = 20.0  # of the B-splines
GROWN_MM = 3.0  # a painted-over region reaches so far beyond its outline


def none(case):
    return Registration(
        method="none", fixed=case.control.grid, moving=case.planning.grid, matrix=np.eye(4)
    )


def truth(case):
    return case.pair.motion.as_registration(case.control.grid, case.planning.grid)


def by_netseg(engine, *, zone_known=True):
    def run(case):
        return register_scans(
            case.control,
            case.planning,
            control_liver=case.liver,
            planning_liver=case.known.liver,
            zone=case.zone if zone_known else None,
            lesions=case.known.lesions if zone_known else None,
            settings=RegistrationSettings(engine=engine, check_backwards=False),
        )

    return run


def demons(painted_over):
    """SimpleITK's diffeomorphic demons at 2 mm after netseg's rigid part."""

    def run(case):
        rigid = by_netseg(Engine.RIGID)(case)
        fixed, moving = _common(case, rigid, painted_over)
        matched = SimpleITK.HistogramMatching(moving, fixed, 256, 10)
        method = SimpleITK.DiffeomorphicDemonsRegistrationFilter()
        method.SetStandardDeviations(1.5)
        method.SmoothUpdateFieldOn()
        method.SetUpdateFieldStandardDeviations(0.8)
        field = None
        for factor, rounds in ((4, 40), (2, 40), (1, 25)):
            one, other = (_coarser(image, factor) for image in (fixed, matched))
            method.SetNumberOfIterations(rounds)
            if field is None:
                field = method.Execute(one, other)
            else:
                field = method.Execute(one, other, SimpleITK.Resample(field, one))
        return _with_bend(rigid, case, field, "demons")

    return run


def greedy(painted_over):
    """picsl-greedy, NCC of radius 2, after netseg's rigid part; only where it is installed."""

    def run(case):
        from picsl_greedy import Greedy3D

        rigid = by_netseg(Engine.RIGID)(case)
        fixed, moving = _common(case, rigid, painted_over)
        tool = Greedy3D()
        tool.execute(
            "-d 3 -m NCC 2x2x2 -i fixed moving -o warp -n 60x40x20 -s 2.0vox 0.7vox -threads 1",
            fixed=fixed, moving=moving, warp=None,
        )  # fmt: skip
        return _with_bend(rigid, case, tool["warp"], "greedy")

    return run


def bspline(painted_over):
    """SimpleITK's free-form deformation: cubic splines on a 20 mm lattice, correlation, L-BFGS-B."""

    def run(case):
        rigid = by_netseg(Engine.RIGID)(case)
        fixed, moving = _common(case, rigid, painted_over)
        knots = [max(2, round(n * STEP_MM / LATTICE_MM)) for n in fixed.GetSize()]
        transform = SimpleITK.BSplineTransformInitializer(fixed, knots, order=3)
        method = SimpleITK.ImageRegistrationMethod()
        method.SetMetricAsCorrelation()
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(0.1, 7)
        method.SetInterpolator(SimpleITK.sitkLinear)
        method.SetOptimizerAsLBFGSB(numberOfIterations=40, maximumNumberOfFunctionEvaluations=60)
        method.SetNumberOfThreads(1)
        method.SetInitialTransform(transform, inPlace=True)
        calm = [SimpleITK.SmoothingRecursiveGaussian(image, STEP_MM) for image in (fixed, moving)]
        method.Execute(*calm)
        field = SimpleITK.TransformToDisplacementField(
            transform, SimpleITK.sitkVectorFloat64, fixed.GetSize(), fixed.GetOrigin(),
            fixed.GetSpacing(), fixed.GetDirection(),
        )  # fmt: skip
        return _with_bend(rigid, case, field, "B-splines")

    return run


def optical_flow(painted_over):
    """scikit-image's iterative Lucas-Kanade flow, windows of 14 mm, twice coarser voxels."""

    def run(case):
        from skimage.registration import optical_flow_ilk

        rigid = by_netseg(Engine.RIGID)(case)
        fixed, moving = (_coarser(image, 2) for image in _common(case, rigid, painted_over))
        one, other = (
            SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0) for image in (fixed, moving)
        )
        flow = optical_flow_ilk(one, other, radius=3, num_warp=8, gaussian=True)
        along = np.moveaxis(flow, 0, -1) * np.array(fixed.GetSpacing())
        axes = np.array(fixed.GetDirection()).reshape(3, 3)
        field = SimpleITK.GetImageFromArray((along @ axes.T).transpose(2, 1, 0, 3), isVector=True)
        field.CopyInformation(fixed)
        whole = _common(case, rigid, painted_over=False)[0]
        fine = SimpleITK.Resample(
            field, whole, SimpleITK.Transform(), SimpleITK.sitkLinear, 0.0,
            SimpleITK.sitkVectorFloat64, useNearestNeighborExtrapolator=True,
        )  # fmt: skip
        return _with_bend(rigid, case, fine, "optical flow")

    return run


METHODS = {
    "none": none,
    "rigid": by_netseg(Engine.RIGID),
    "demons raw": demons(painted_over=False),
    "demons inpainted": demons(painted_over=True),
    "netseg demons": by_netseg(Engine.DEMONS),
    "netseg gauss_newton": by_netseg(Engine.GAUSS_NEWTON),
    "netseg gauss_newton, zone not told": by_netseg(Engine.GAUSS_NEWTON, zone_known=False),
    "netseg torch": by_netseg(Engine.TORCH),
    "B-splines raw": bspline(painted_over=False),
    "B-splines inpainted": bspline(painted_over=True),
    "optical flow raw": optical_flow(painted_over=False),
    "optical flow inpainted": optical_flow(painted_over=True),
    "greedy raw": greedy(painted_over=False),
    "greedy inpainted": greedy(painted_over=True),
    "truth": truth,
}


def _common(case, rigid, painted_over):
    """Both scans on 2 mm voxels around the control scan's liver, the planning one moved rigidly."""
    start, shape = bounding_box(case.liver, 12.0)
    grid = isotropic_grid(crop(case.control, start, shape).grid, STEP_MM)
    control, planning = case.control, case.planning
    if painted_over:
        control = _painted(control, case.zone, case.liver)
        planning = _painted(planning, case.known.lesions.region(), case.known.liver)
    moved = rigid.matrix @ grid.affine_lps
    there = type(grid)(grid.shape, moved, planning.grid.frame_uid)
    fixed = np.clip(resample(control, grid, outside=-1000.0).values, -100.0, 250.0)
    moving = np.clip(resample(planning, there, outside=-1000.0).values, -100.0, 250.0)
    return _itk(fixed, grid), _itk(moving, grid)


def _painted(scan, region, liver):
    """The region filled with the liver's own value, smoothly, and noise of its width."""
    grown = ndimage.distance_transform_edt(~region.inside, sampling=region.grid.spacing_mm)
    hidden = (grown <= GROWN_MM) & liver.inside
    seen = liver.inside & ~hidden
    values = scan.values.astype(np.float32)
    weight, total = (
        ndimage.gaussian_filter(part.astype(np.float32), 4.0)
        for part in (seen, np.where(seen, values, 0.0))
    )
    filled = np.where(weight > 1e-3, total / np.maximum(weight, 1e-3), np.median(values[seen]))
    return Volume(np.where(hidden, filled, values).astype(np.float32), scan.grid, scan.quantity)


def _itk(values, grid):
    image = SimpleITK.GetImageFromArray(values.astype(np.float32).transpose(2, 1, 0))
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.affine_lps[:3, 3].tolist())
    image.SetDirection(grid.directions.ravel().tolist())
    return image


def _coarser(image, factor):
    if factor == 1:
        return image
    calm = SimpleITK.SmoothingRecursiveGaussian(image, STEP_MM * factor / 2)
    return SimpleITK.Shrink(calm, [factor] * 3)


def _with_bend(rigid, case, field, name):
    """A displacement field of SimpleITK (LPS, fixed to moving) as the bending part."""
    start, shape = bounding_box(case.liver, 12.0)
    grid = isotropic_grid(crop(case.control, start, shape).grid, STEP_MM)
    bend = SimpleITK.GetArrayFromImage(field).transpose(2, 1, 0, 3).astype(np.float32)
    return replace(rigid, method=name, bend_grid=grid, bend_mm=bend)


def usable(name):
    """Why a method cannot run here; None if it can."""
    if name.startswith("greedy"):
        try:
            import picsl_greedy  # noqa: F401
        except ImportError:
            return "picsl-greedy is not installed"
    return None
