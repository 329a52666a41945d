"""The rigid part: from the livers' outlines to what is seen inside them.

The outlines bring two livers together to a few millimetres; vessels and texture know it better.
Compared is what lies in both livers, a rim of 3 mm included, and neither near the zone nor near a
tumour: those look different before and after. Two CTs are compared by correlation, anything else by
mutual information (Mattes et al. 2003, doi:10.1109/TMI.2003.809072).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.register.itk import euler, itk_image, matrix_of
from netseg.register.side import grown

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.register.side import Side

RIM_MM = 3.0  # of what surrounds the liver: its border is seen too
BINS = 32
SAMPLED = 60_000  # voxels compared, about: more do not move the answer
STEPS = 60


def align_intensities(
    fixed: Side, moving: Side, start: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "4 4"]:
    """Refine a rigid motion by what both scans show inside the livers.

    Args:
        fixed: The control scan.
        moving: The planning scan.
        start: LPS millimetres of `fixed` to those of `moving`, within a centimetre or so.

    Returns:
        The refined motion; the same bytes on every run.
    """
    import SimpleITK

    mask = _compared(fixed)
    centre = fixed.grid.to_mm(np.argwhere(fixed.liver)).mean(axis=0)
    transform = euler(start, centre)
    method = SimpleITK.ImageRegistrationMethod()
    if fixed.is_hu and moving.is_hu:
        method.SetMetricAsCorrelation()
    else:
        method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(itk_image(mask, fixed.grid))
    method.SetMetricMovingMask(itk_image(_compared(moving), moving.grid))
    share = min(1.0, SAMPLED / max(1, np.count_nonzero(mask)))
    if share < 1.0:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(share, 20)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.01, numberOfIterations=STEPS, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([4, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(transform, inPlace=True)
    method.SetNumberOfThreads(1)  # sums in one order: the same answer on every run
    method.Execute(_image(fixed), _image(moving))
    return matrix_of(transform)


def _compared(side: Side) -> Bool[np.ndarray, "i j k"]:
    return grown(side.liver, RIM_MM, side.grid) & ~side.avoided


def _image(side: Side) -> Any:
    return itk_image(side.values, side.grid)
