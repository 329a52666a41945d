"""Files for another program, and its answer, checked like any mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import (
    Code,
    Grid,
    GridMismatchError,
    LabelMap,
    Mask,
    Notice,
    StudyRejectedError,
)
from netseg.domain.grid import describe
from netseg.geometry.affine import lps_from_ras
from netseg.geometry.components import components
from netseg.geometry.nifti import to_nifti

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Integer

    from netseg.domain import Volume

SAME_PLACE_MM = 0.05  # headers are rounded to float32 on the way
LEAST_INSIDE, LEAST_BESIDE = 0.5, 0.25  # of a lesion, and of what surrounds it


def write_input(volume: Volume, path: Path) -> None:
    """Write one scan as NIfTI: voxels and geometry, nothing that names anybody."""
    import nibabel

    nibabel.save(to_nifti(volume), path)


def read_output(path: Path, grid: Grid, who: str) -> Integer[np.ndarray, "i j k"]:
    """The label map another program wrote for a scan.

    Args:
        path: What it should have written.
        grid: The scan's grid.
        who: The program, for messages.

    Returns:
        Whole numbers from 0, indexed (i, j, k) as the scan is.

    Raises:
        StudyRejectedError: PROGRAM_FAILED if there is no readable file, NOT_3D, LABEL_NOT_INTEGER.
        GridMismatchError: If it lies on other voxels than the scan.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    if not path.is_file():
        raise StudyRejectedError(
            Code.PROGRAM_FAILED,
            f"{who} ended without an error and wrote no {path.name}.",
            hint=f"Run {who} by itself on a scan and see what it writes.",
        )
    try:
        image: Any = nibabel.load(path)
        values = np.asanyarray(image.dataobj)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise StudyRejectedError(
            Code.PROGRAM_FAILED,
            f"what {who} wrote cannot be read ({type(error).__name__}).",
            file=path.name,
        ) from error
    if values.ndim != 3:
        raise StudyRejectedError(
            Code.NOT_3D, f"{who} wrote {values.ndim} dimensions; 3 are expected.", file=path.name
        )
    _require_grid(Grid(values.shape, lps_from_ras(image.affine), grid.frame_uid), grid, who)
    return _whole(values, who, path.name)


def _require_grid(met: Grid, grid: Grid, who: str) -> None:
    same = met.shape == grid.shape
    if same and np.abs(met.corners_mm() - grid.corners_mm()).max() <= SAME_PLACE_MM:
        return
    raise GridMismatchError(
        Code.GRID_MISMATCH,
        f"{who} was given {describe(grid)} and answered on {describe(met)}.",
        detail={"first_shape": list(grid.shape), "second_shape": list(met.shape)},
        hint=f"{who} must answer on its input's own grid; check its options.",
    )


def _whole(values: np.ndarray, who: str, name: str) -> Integer[np.ndarray, "i j k"]:
    labels = values
    if not np.issubdtype(values.dtype, np.integer):
        with np.errstate(invalid="ignore"):
            labels = np.nan_to_num(values, nan=-1.0).astype(np.int64)
        if not np.array_equal(labels, values):
            raise StudyRejectedError(
                Code.LABEL_NOT_INTEGER,
                f"{who} wrote values that are no whole numbers; a label map is expected.",
                file=name,
            )
    if labels.min() < 0:
        raise StudyRejectedError(
            Code.LABEL_NOT_INTEGER,
            f"{who} wrote the value {int(labels.min())}; labels run from 0 up.",
            file=name,
        )
    return labels.astype(np.min_scalar_type(int(labels.max())), copy=False)


def require_labels(
    labels: Integer[np.ndarray, "i j k"], known: tuple[int, ...], who: str, name: str
) -> None:
    """Refuse values that the program's own list of labels does not hold.

    Raises:
        StudyRejectedError: LABEL_UNKNOWN.
    """
    met = [int(v) for v in np.unique(labels)]
    strange = [v for v in met if v != 0 and v not in known]
    if strange:
        raise StudyRejectedError(
            Code.LABEL_UNKNOWN,
            f"{who} wrote the values {', '.join(map(str, strange))}; its labels are "
            f"{', '.join(map(str, known))}.",
            file=name,
            detail={"values": strange, "known": list(known)},
        )


def outlined(
    lesions: Mask, liver: Mask | None, who: str
) -> tuple[LabelMap, Mask | None, tuple[Notice, ...]]:
    """Lesions numbered by volume and the liver with them.

    Args:
        lesions: Lesion voxels.
        liver: Liver voxels with or without the lesions; None where nobody outlined it.
        who: Who made them, for the notice.

    Returns:
        The lesions that lie in the liver or in a hole of it, the liver united with them, and a notice of how many others were left out.
    """
    numbered = components(lesions)
    if liver is None:
        return numbered, None, ()
    keep = np.array([False, *_of_liver(numbered, liver)])
    dropped = len(keep) - 1 - int(keep.sum())
    table = np.where(keep, np.cumsum(keep), 0).astype(numbered.labels.dtype)
    kept = LabelMap(table[numbered.labels], lesions.grid)
    united = Mask(liver.inside | (kept.labels != 0), liver.grid)
    if not dropped:
        return kept, united, ()
    notice = Notice(
        code=Code.MASK_OUTSIDE_LIVER,
        message=f"{dropped} of the {dropped + len(kept.values)} lesions of {who} lie mostly "
        "outside its liver and were left out.",
        detail={"left_out": dropped, "kept": len(kept.values)},
        hint="Look at them; give your own masks with --liver and --lesions otherwise.",
    )
    return kept, united, (notice,)


def _of_liver(lesions: LabelMap, liver: Mask) -> list[bool]:
    """Which lesions lie in the liver: half of their voxels, or a quarter of those around them.

    Many tools leave a hole in the liver where a lesion is; at the capsule half of its surroundings
    is no liver.
    """
    import scipy.ndimage

    answers = []
    for number, box in enumerate(scipy.ndimage.find_objects(lesions.labels), start=1):
        around = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
        own, near = lesions.labels[around] == number, liver.inside[around]
        ring = scipy.ndimage.binary_dilation(own) & ~own
        inside = np.count_nonzero(own & near) / np.count_nonzero(own)
        beside = np.count_nonzero(ring & near) / max(1, np.count_nonzero(ring))
        answers.append(inside >= LEAST_INSIDE or beside >= LEAST_BESIDE)
    return answers
