"""Images as NIfTI: netseg's LPS millimetres become the header's RAS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain.volume import LabelMap, Mask, Volume
from netseg.geometry.affine import ras_from_lps

if TYPE_CHECKING:
    import nibabel

SCANNER_ANATOMICAL = 1  # NIfTI's code for "millimetres in the scanner's coordinates"


def to_nifti(image: Volume | Mask | LabelMap) -> nibabel.Nifti1Image:
    """The image for a NIfTI file: sform and qform of code 1, lengths in millimetres.

    Masks become uint8, label maps the smallest whole-number type that holds them, volumes keep
    their type. A sheared grid stands in the sform alone, for the qform cannot express it.

    Args:
        image: What to write.

    Returns:
        The image with its own copy of the header; saving it is the caller's.
    """
    import nibabel

    affine_ras = ras_from_lps(image.grid.affine_lps)
    nifti: Any = nibabel.Nifti1Image(_stored(image), affine_ras)
    nifti.header.set_xyzt_units("mm", "sec")
    nifti.set_sform(affine_ras, code=SCANNER_ANATOMICAL)
    if image.grid.is_orthogonal:
        nifti.set_qform(affine_ras, code=SCANNER_ANATOMICAL)
    else:
        nifti.header["qform_code"] = 0
    return nifti


def _stored(image: Volume | Mask | LabelMap) -> np.ndarray:
    if isinstance(image, Volume):
        return image.values
    if isinstance(image, Mask):
        return image.inside.astype(np.uint8)
    if image.labels.min() < 0:
        raise ValueError(f"labels must not be negative; the smallest is {image.labels.min()}.")
    highest = int(image.labels.max())
    for kind in (np.uint8, np.uint16, np.int32):
        if highest <= np.iinfo(kind).max:
            return image.labels.astype(kind)
    raise ValueError(f"labels up to {np.iinfo(np.int32).max} can be written; got {highest}.")
