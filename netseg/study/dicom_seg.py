"""DICOM SEG: segments of any tool as labels, placed by their own frames' positions."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.study.dicom_header import malformed, parser_errors, quiet_pydicom
from netseg.study.image_file import require_affine, require_shape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float, Integer

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_BINARY = ("BINARY", "LABELMAP")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segments:
    """What a DICOM SEG outlines. Slices without a frame are empty; it may end before the scan.

    Attributes:
        name: The file's name for messages.
        numbers: Segment numbers in use.
        inside: One region per segment, indexed (i, j, k, segment).
        affine_lps: Voxel index to LPS millimetres.
        frame_uid: Frame of reference the positions are in.
    """

    name: str
    numbers: tuple[int, ...]
    inside: Bool[np.ndarray, "i j k n"]
    affine_lps: Float[np.ndarray, "4 4"]
    frame_uid: str

    def labels(self, wanted: Sequence[int]) -> Integer[np.ndarray, "i j k"]:
        """The wanted segments as labels, or all of them when none is named.

        Raises:
            StudyRejectedError: LABEL_AMBIGUOUS if all are asked for and two of them overlap.
        """
        chosen = [n for n in wanted if n in self.numbers] or list(self.numbers)
        labels = np.zeros(self.inside.shape[:3], np.uint16)
        for number in chosen:
            inside = self.inside[..., self.numbers.index(number)]
            if not wanted and (labels[inside] != 0).any():
                raise StudyRejectedError(
                    Code.LABEL_AMBIGUOUS,
                    f"Segments {list(self.numbers)} overlap; a voxel cannot have two numbers.",
                    file=self.name,
                    hint=f"Name those that are meant: {self.name}:{self.numbers[0]}.",
                )
            labels[inside] = number
        return labels


def read_segments(path: Path) -> Segments:
    """Read one DICOM SEG of binary type.

    Raises:
        StudyRejectedError: UNSUPPORTED_FORMAT for other DICOM objects, LABEL_NOT_INTEGER for
            fractional segments, MASK_EMPTY, MALFORMED_HEADER, GEOMETRY_INVALID.
    """
    import pydicom

    name = path.name
    with quiet_pydicom():
        try:
            tags = pydicom.dcmread(io.BytesIO(path.read_bytes()))
            kind, style = str(tags.get("SOPClassUID")), str(tags.get("SegmentationType", "BINARY"))
        except parser_errors() as error:
            raise malformed(name) from error
        if not kind.startswith(_SEGMENTATION):
            raise StudyRejectedError(
                Code.UNSUPPORTED_FORMAT, "A DICOM mask must be a SEG object.", file=name
            )
        if style not in _BINARY:
            raise StudyRejectedError(
                Code.LABEL_NOT_INTEGER, "Fractional segments are no mask.", file=name,
                hint="Threshold them first, and say at which value.",
            )  # fmt: skip
        return _arranged(tags, name)


def _arranged(tags: Any, name: str) -> Segments:
    from highdicom.seg import Segmentation

    try:
        seg = Segmentation.from_dataset(tags)
        volume = seg.get_volume(combine_segments=False)
        numbers = [int(n) for n in seg.segment_numbers]
        frame_uid = str(seg.FrameOfReferenceUID)
    except (RuntimeError, *parser_errors()) as error:
        raise malformed(name) from error
    stored = volume.array != 0
    require_shape(stored.shape[:3], name)
    used = [n for n in range(len(numbers)) if stored[..., n].any()]
    if not used:
        raise StudyRejectedError(Code.MASK_EMPTY, "The SEG outlines no voxel.", file=name)
    return Segments(
        name=name,
        numbers=tuple(numbers[n] for n in used),
        inside=stored[..., used],
        affine_lps=require_affine(volume.affine, name),
        frame_uid=frame_uid,
    )
