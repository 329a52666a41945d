"""Where liver and lesions are, according to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netseg.domain.grid import require_same_grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.errors import Notice
    from netseg.domain.volume import LabelMap, Mask, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProvenance:
    """What made a segmentation.

    Attributes:
        backend: "masks", "builtin" or another backend's name.
        name: Name of the model or of the mask's origin.
        weights_sha256: Checksums of the weights by role ("liver", "lesions").
    """

    backend: str
    name: str
    weights_sha256: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """Liver and lesions on the grid of one series.

    Attributes:
        series_key: The series whose grid the masks share.
        liver: The liver, lesions included; None when nobody outlined it.
        lesions: One number per lesion (26-connected component), 1 … n in descending volume.
        lesion_probability: Probability of lesion per voxel on the same grid, where a model gave it.
        segments: Couinaud segments 1 … 8 as labels with names "I" … "VIII"; None when unknown.
        confidence: Probability per lesion id that it is a lesion, where a model gave it.
        segment_confidence: Probability per lesion id that most of it lies in the segment that
            `segments` says, where a model gave it.
        lobe_confidence: The same for the lobe.
        boundary_sd_mm: Standard deviation per lesion id of where its boundary lies along its
            normal, where a model gave it.
        provenance: What made it.
        warnings: What the maker wants known.
    """

    series_key: str
    liver: Mask | None
    lesions: LabelMap
    lesion_probability: Volume | None = None
    segments: LabelMap | None = None
    confidence: Mapping[int, float] = field(default_factory=dict[int, float])
    segment_confidence: Mapping[int, float] = field(default_factory=dict[int, float])
    lobe_confidence: Mapping[int, float] = field(default_factory=dict[int, float])
    boundary_sd_mm: Mapping[int, float] = field(default_factory=dict[int, float])
    provenance: ModelProvenance
    warnings: tuple[Notice, ...] = ()

    def __post_init__(self) -> None:
        """Keep every image on the lesions' grid."""
        for image in (self.liver, self.lesion_probability, self.segments):
            if image is not None:
                require_same_grid("segmentation", self.lesions.grid, image.grid)
