"""The bending part by diffeomorphic demons (Vercauteren et al. 2009, doi:10.1016/j.neuroimage.2008.10.040).

Demons know no masks. What must not be compared is painted over in both images with the parenchyma
around it; beyond the liver both images fade to its median, so that ribs and lung, which slide, do
not pull.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.register.comparable import painted_over
from netseg.register.itk import itk_image, vectors_of

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.register.comparable import Comparable

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

LEVELS = ((4, 40), (2, 40), (1, 15))  # shrink factor, iterations
BLUR = 0.5  # voxels
STEP = 1.0  # longest update, voxels
FADE_MM = (3.0, 8.0)  # beyond the liver: from all image to none


def bend_by_demons(pair: Comparable, *, smoothing_mm: float) -> Float[np.ndarray, "i j k 3"]:
    """The bend of a pair.

    Args:
        pair: Two scans on one grid.
        smoothing_mm: Standard deviation of the Gaussian that keeps the field smooth.

    Returns:
        u in LPS millimetres on the pair's grid, float32.
    """
    import SimpleITK

    avoided = pair.fixed_avoided | pair.moving_avoided
    fixed = _image(pair.fixed, pair.fixed_liver, avoided, pair)
    moving = _image(pair.moving, pair.moving_liver, avoided, pair)
    field: Any = None
    for shrink, iterations in LEVELS:
        ours, theirs = (_shrunk(image, shrink) for image in (fixed, moving))
        step_mm = pair.grid.spacing_mm[0] * shrink
        demons = SimpleITK.DiffeomorphicDemonsRegistrationFilter()
        demons.SetNumberOfIterations(iterations)
        demons.SetMaximumRMSError(0.0)  # the same number of steps, whatever the sums' order
        demons.SetSmoothDisplacementField(True)  # noqa: FBT003 (its only argument)
        demons.SetStandardDeviations(max(smoothing_mm / step_mm, 0.5))
        demons.SetMaximumUpdateStepLength(STEP)
        if field is None:
            field = demons.Execute(ours, theirs)
        else:
            field = demons.Execute(ours, theirs, _resampled(field, ours))
    return vectors_of(field).astype(np.float32)


def _image(values: np.ndarray, liver: np.ndarray, avoided: np.ndarray, pair: Comparable) -> Any:
    usual = np.median(values[liver & ~avoided]) if (liver & ~avoided).any() else 0.0
    filled = painted_over(values, liver, avoided, pair.grid)
    away_mm = ndi.distance_transform_edt(~liver, sampling=pair.grid.spacing_mm)
    share = np.clip((FADE_MM[1] - away_mm) / (FADE_MM[1] - FADE_MM[0]), 0, 1)
    return itk_image((usual + share * (filled - usual)).astype(np.float32), pair.grid)


def _shrunk(image: Any, factor: int) -> Any:
    """Fewer voxels over the same field of view, without aliasing."""
    import SimpleITK

    step_mm = image.GetSpacing()[0]
    blur = max(BLUR, 0.42 * factor if factor > 1 else 0.0) * step_mm
    smooth = SimpleITK.SmoothingRecursiveGaussian(image, blur)
    if factor == 1:
        return smooth
    size = [-(-n // factor) for n in image.GetSize()]
    coarse = SimpleITK.Image(size, SimpleITK.sitkFloat32)
    coarse.SetSpacing([step_mm * factor] * 3)
    coarse.SetDirection(image.GetDirection())
    coarse.SetOrigin(image.TransformContinuousIndexToPhysicalPoint([(factor - 1) / 2] * 3))
    border = float(np.median(SimpleITK.GetArrayViewFromImage(smooth)[0]))
    return SimpleITK.Resample(smooth, coarse, SimpleITK.Transform(), SimpleITK.sitkLinear, border)


def _resampled(field: Any, like: Any) -> Any:
    import SimpleITK

    return SimpleITK.Resample(
        field,
        like,
        SimpleITK.Transform(),
        SimpleITK.sitkLinear,
        0.0,
        SimpleITK.sitkVectorFloat64,
        useNearestNeighborExtrapolator=True,
    )
