"""A training case before and after it was read: files with their meaning, then arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 (resolved at run time by the registry's signatures)
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from netseg.segment.channels import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float32, UInt8

BACKGROUND, LIVER, LESION, IGNORED = 0, 1, 2, 255
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def case_name(text: str) -> str:
    """A name fit for a folder: other characters than letters, digits, dots and dashes are dashes.

    >>> case_name("PETCT_01_NA-PET-CT Ganzkoerper  mit KM")
    'PETCT_01_NA-PET-CT-Ganzkoerper-mit-KM'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")[:100]


def require_channels(*names: str | None) -> None:
    """Refuse names that are no channel; None leaves one out.

    Raises:
        ValueError: With the channels there are.
    """
    unknown = sorted({name for name in names if name is not None} - set(CHANNELS))
    if unknown:
        raise ValueError(f"channels are {', '.join(CHANNELS)}; got {', '.join(unknown)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFiles:
    """Where one channel of a case lies.

    Attributes:
        path: An image file, or a folder of DICOM slices of one volume.
        factor: What the file's numbers are multiplied with, such as SUV per Bq/ml.
    """

    path: Path
    factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFiles:
    """Where outlines lie and what their numbers mean.

    Attributes:
        path: A label map, or a folder of PNG pictures, one per slice of `slices_of`.
        meaning: Number in the file to `BACKGROUND`, `LIVER`, `LESION` or `IGNORED`.
        otherwise: What a number means that is not listed; None refuses the case.
        single: Whether a file with more than one number besides 0 refuses the case: nobody said
            which is meant.
        slices_of: The folder of DICOM slices that PNG pictures outline.
    """

    path: Path
    meaning: Mapping[int, int]
    otherwise: int | None = None
    single: bool = False
    slices_of: Path | None = None

    def __post_init__(self) -> None:
        """Keep the meanings to the four there are."""
        meant = set(self.meaning.values()) | ({self.otherwise} - {None})
        strange = sorted(str(m) for m in meant - {BACKGROUND, LIVER, LESION, IGNORED})
        if strange:
            raise ValueError(
                f"{self.path.name}: labels mean 0 background, 1 liver, 2 lesion or 255 ignored; "
                f"got {', '.join(strange)}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCase:
    """One case of a set as its layout describes it; nothing of it was read yet.

    Attributes:
        name: Its name in the set.
        patient: Whose it is; two cases of one patient never part in a split.
        images: Files by channel, one of `netseg.segment.channels.CHANNELS`.
        labels: Outlines that lie on one grid; where they differ the larger of background < liver <
            lesion < ignored holds.
        liver_known: Whether the set outlined livers.
        lesions_known: Whether the set outlined every lesion of the liver. Where it did not, "no
            lesion here" is known outside the liver only.
        whole_body: Whether lesions of other organs are outlined as well. Where livers are known,
            those that lie mostly outside of them become background.
    """

    name: str
    patient: str
    images: Mapping[str, ImageFiles]
    labels: tuple[LabelFiles, ...]
    liver_known: bool = True
    lesions_known: bool = True
    whole_body: bool = False

    def __post_init__(self) -> None:
        """Keep the name fit for a folder, the channels known and something to learn."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"a case is named with letters, digits, dots, dashes, at most 100; got {self.name!r}."
            )
        if not self.patient:
            raise ValueError(f"{self.name}: without a patient it cannot be split from others.")
        require_channels(*self.images)
        if not self.images:
            raise ValueError(f"{self.name}: a case needs an image.")
        if not self.labels or not (self.liver_known or self.lesions_known):
            raise ValueError(f"{self.name}: outlines of livers or of lesions are needed.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedCase:
    """One case on cubic voxels, axes along L, P, S.

    Attributes:
        name: Its name in the set.
        patient: Whose it is.
        images: (i, j, k) float32 by channel: HU, SUVbw, or the MR's own numbers; memory-mapped when
            they come from a cache.
        labels: 0 neither, 1 liver, 2 lesion, 255 nobody said; (i, j, k) uint8. Read them through
            `liver_truth` and `lesion_truth`, which know what the set did not outline.
        spacing_mm: Voxel edge.
        liver_known: Whether the set outlined livers.
        lesions_known: Whether the set outlined every lesion of the liver.
        facts: What preparing measured: volumes before and after, sizes, hashes; JSON types.
    """

    name: str
    patient: str
    images: Mapping[str, Float32[np.ndarray, "i j k"]]
    labels: UInt8[np.ndarray, "i j k"]
    spacing_mm: float
    liver_known: bool = True
    lesions_known: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Keep all arrays of one shape and type."""
        for channel, values in self.images.items():
            if values.shape != self.labels.shape or values.dtype != np.float32:
                raise ValueError(
                    f"{self.name}: {channel} is {values.dtype} {values.shape}; float32 "
                    f"{self.labels.shape} is expected, as the labels."
                )
        if self.labels.dtype != np.uint8:
            raise ValueError(f"{self.name}: labels are uint8; got {self.labels.dtype}.")

    def liver_truth(self) -> UInt8[np.ndarray, "i j k"]:
        """1 liver (lesions included), 0 not, 255 not to be taught."""
        if not self.liver_known:
            return np.full(self.labels.shape, IGNORED, np.uint8)
        inside = ((self.labels == LIVER) | (self.labels == LESION)).astype(np.uint8)
        inside[self.labels == IGNORED] = IGNORED
        return inside

    def lesion_truth(self) -> UInt8[np.ndarray, "i j k"]:
        """1 lesion, 0 not, 255 not to be taught.

        A liver in which nobody outlined lesions may hold some: there nothing is taught. Outside the
        liver there is no lesion of the liver.
        """
        inside = (self.labels == LESION).astype(np.uint8)
        unknown = self.labels == IGNORED
        if not self.lesions_known:
            unknown = unknown | (self.labels == LIVER)
        inside[unknown] = IGNORED
        return inside


class Layout(Protocol):
    """How a data set lies on the disk."""

    def cases(self) -> tuple[RawCase, ...]:
        """Every case that may be trained on, sorted by name; no image is read.

        Raises:
            UsageError: TRAINING_SET, with the names of missing, extra and doubled files.
            EnvironmentFaultError: NO_INPUT if the folder is not there.
        """
        ...
