"""What was measured: lesions and liver. Measures only; grade, pattern and route are named later."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.domain.errors import Notice
    from netseg.domain.point import PointMm


class Lobe(StrEnum):
    """Surgical lobe: left = Couinaud II-IV, right = V-VIII; segment I belongs to neither."""

    LEFT = "left"
    RIGHT = "right"
    CAUDATE = "caudate"


class SegmentSource(StrEnum):
    """Where the Couinaud segments come from."""

    SEGMENT_MAP = "segment_map"
    APPROXIMATE_PARTITION = "approximate_partition"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredIn:
    """The region some quantities were measured in.

    Attributes:
        name: What the region is, such as "whole lesion" or "sphere of 1 ml where uptake is highest".
        series: Key of the series whose values were read; "" where none were (distances, shares).
        voxels: Number of voxels read, a voxel partly inside counted as one.
        volume_ml: Volume of the region.
        measures: Names of the quantities measured in it.
    """

    name: str
    series: str
    voxels: int
    volume_ml: float
    measures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """One lesion as measured.

    Attributes:
        id: Its number in `lesions.nii.gz`.
        volume_ml: Volume of its voxels.
        longest_axial_diameter_mm: Longest extent within one slice perpendicular to the body axis.
        longest_diameter_mm: Longest extent in 3-D.
        centroid_mm: Centre of mass (LPS).
        segment: Couinaud segment "I" … "VIII" that holds most of it, None when unknown.
        segment_shares: Share of its volume per segment.
        lobe: Lobe of `segment`, None when unknown.
        confidence: Probability that it is a lesion, None when nobody estimated it.
        at_border: Whether it is cut off by the image's border.
        measures: Further measured quantities by name, such as "mean_hu_portal_venous", "suv_max".
        segment_probability: Probability that `segment` is right, None when nobody estimated it.
        lobe_probability: Probability that `lobe` is right, None when nobody estimated it.
        signs: Signs by name, such as "washout", by the thresholds `netseg.findings` states. A sign
            that is absent is unknown.
        regions: Where the measures were taken.
        unknown: Why a quantity is unknown, by its name.
    """

    id: int
    volume_ml: float
    longest_axial_diameter_mm: float
    longest_diameter_mm: float
    centroid_mm: PointMm
    segment: str | None = None
    segment_shares: Mapping[str, float] = field(default_factory=dict[str, float])
    lobe: Lobe | None = None
    confidence: float | None = None
    at_border: bool = False
    measures: Mapping[str, float] = field(default_factory=dict[str, float])
    segment_probability: float | None = None
    lobe_probability: float | None = None
    signs: Mapping[str, bool] = field(default_factory=dict[str, bool])
    regions: tuple[MeasuredIn, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Keep the measures physical."""
        if self.id < 1:
            raise ValueError(f"lesion ids begin at 1; got {self.id}.")
        for name in ("volume_ml", "longest_axial_diameter_mm", "longest_diameter_mm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything measured on one study.

    Attributes:
        lesions: All lesions in descending volume; empty means "looked, none found".
        liver_volume_ml: Liver with its lesions, None when no liver mask is known.
        lesion_volume_ml: Sum over the lesions.
        segment_source: Where the segments come from, None when unknown.
        liver_measures: Quantities measured in lesion-free liver, such as "mean_hu_portal_venous".
        warnings: What the reader of the figures must know.
        liver_regions: Where the liver's measures were taken.
        liver_unknown: Why a quantity of the liver is unknown, by its name.
    """

    lesions: tuple[Lesion, ...]
    liver_volume_ml: float | None
    lesion_volume_ml: float
    segment_source: SegmentSource | None = None
    liver_measures: Mapping[str, float] = field(default_factory=dict[str, float])
    warnings: tuple[Notice, ...] = ()
    liver_regions: tuple[MeasuredIn, ...] = ()
    liver_unknown: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def liver_burden_pct(self) -> float | None:
        """Lesions as a share of the liver that includes them; None without a liver mask."""
        if self.liver_volume_ml is None:
            return None
        return 100.0 * self.lesion_volume_ml / self.liver_volume_ml
