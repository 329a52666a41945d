"""Couinaud's segments inside a given liver, by a network that looks at its vessels.

The network learned on procedural livers, whose segments are known; it was never shown a patient's
segments, because none with a truth were at hand. It needs the liver's outline, of whatever origin,
and one image of any modality that shows anatomy. Who has neither, or a network that is not sure,
is left with the geometric approximation of the findings station.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from netseg.domain import (
    Code,
    LabelMap,
    Modality,
    MrSequence,
    Notice,
    Phase,
    Quantity,
)
from netseg.geometry.resample import bounding_box, resample
from netseg.segment.couinaud_card import SegmentsCard
from netseg.segment.couinaud_network import SEGMENTS
from netseg.segment.orient import Orientation
from netseg.segment.parameters import set_parameters
from netseg.tensor.weights_file import load_with_card

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from jaxtyping import Float

    from netseg.domain import Grid, Mask, Segmentation, Series, Study, Volume
    from netseg.segment.couinaud_places import SegmentProbability
    from netseg.segment.sampling import Axis

logger = logging.getLogger(__name__)

SHIPPED = Path(__file__).parent / "weights" / "segments.safetensors"
AROUND_MM = 30.0  # how much of the scan around the liver is looked at
LEAST_COVERED = 0.95  # share of the liver that the image must show
LOBES = {"caudate": ("I",), "left": ("II", "III", "IV"), "right": ("V", "VI", "VII", "VIII")}
CLEAREST = (
    Phase.PORTAL_VENOUS,
    Phase.HEPATOBILIARY,
    Phase.DELAYED,
    None,
    Phase.LATE_ARTERIAL,
    Phase.NATIVE,
)
"""Phases by how well veins stand out, best first."""


class SegmentsModel:
    """Adds Couinaud's segments to any backend's liver.

    The weights are read once, when the first liver comes.

    Attributes:
        weights: A safetensors file with its card beside it; None means those shipped.
        device: "auto", "cpu" or "cuda[:N]".
        least_confidence: Mean probability over the liver below which nothing is added.
        doubtful: Probability of a lesion's lobe below which it is named in a warning.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: str = "auto",
        *,
        least_confidence: float = 0.6,
        doubtful: float = 0.8,
    ) -> None:
        self.weights = None if weights is None else Path(weights)
        self.device = device
        self.least_confidence = least_confidence
        self.doubtful = doubtful
        self._loaded: tuple[SegmentsCard, torch.nn.Module] | None = None

    def add(self, study: Study, segmentation: Segmentation) -> Segmentation:
        """The segmentation with segments, and a probability of segment and lobe per lesion.

        Args:
            study: The scans; the one that shows the veins best and covers the liver is looked at.
            segmentation: Liver and lesions. Its own segments, where it has some, win.

        Returns:
            With segments, confidences and the warning SEGMENTS_BY_NETWORK (and SEGMENTS_UNCERTAIN
            where a lesion's lobe is doubtful). Without a liver or a fitting image the segmentation
            as it came; where the network is not sure, too, with SEGMENTS_UNCERTAIN.

        Raises:
            EnvironmentFaultError: If the weights cannot be used.
        """
        from netseg.segment.couinaud_places import name_voxels, predict

        liver = segmentation.liver
        if segmentation.segments is not None or liver is None or liver.is_empty:
            return segmentation
        chosen = choose_image(study, liver)
        if chosen is None:
            return segmentation
        card, network = self.network()
        view = _View.of(liver)
        inside = view.region(liver.inside)
        found = predict(view.image(chosen.volume, liver), inside, view.axes, network, card.spec)
        sure = found.mean_confidence
        logger.info("segments on %s: mean probability %.2f", chosen.key, sure)
        if sure < self.least_confidence:
            return replace(segmentation, warnings=(*segmentation.warnings, _unsure(chosen, sure)))
        labels = view.back(name_voxels(found, inside, view.axes), liver.grid)
        segments, lobes = _lesions(found, view, segmentation.lesions, labels, card)
        return replace(
            segmentation,
            segments=LabelMap(labels, liver.grid, dict(enumerate(SEGMENTS, 1))),
            segment_confidence=segments,
            lobe_confidence=lobes,
            provenance=replace(
                segmentation.provenance,
                weights_sha256={**segmentation.provenance.weights_sha256, "segments": card.sha256},
            ),
            warnings=(
                *segmentation.warnings,
                *_notices(card, chosen, lobes, self.doubtful),
            ),
        )

    def network(self) -> tuple[SegmentsCard, torch.nn.Module]:
        """The card and the network, read at the first call.

        Raises:
            EnvironmentFaultError: If the weights are missing, damaged or another network's.
        """
        if self._loaded is None:
            from netseg.segment.device import pick_device

            card, tensors = load_segments(self.weights)
            network = built(card, tensors).to(pick_device(self.device)).eval()
            self._loaded = (card, network)
        return self._loaded


def load_segments(path: Path | None = None) -> tuple[SegmentsCard, dict[str, np.ndarray]]:
    """Read and check weights for segments; None means those shipped.

    Raises:
        EnvironmentFaultError: As `netseg.segment.check_weights` says.
    """
    return load_with_card(SHIPPED if path is None else Path(path), SegmentsCard.read)


def built(card: SegmentsCard, tensors: Mapping[str, np.ndarray]) -> torch.nn.Module:
    """The network of a card with its weights.

    Raises:
        EnvironmentFaultError: If they belong to another network.
    """
    network = card.spec.build()
    set_parameters(network, tensors, "segment")
    return network


def choose_image(study: Study, liver: Mask) -> Series | None:
    """The series that shows the veins best among those that cover the liver; None without one.

    CT, T1 and T2 show anatomy; PET, diffusion and MR of unknown weighting do not, or not surely.
    Of two alike the one with the thinner slices is taken.
    """
    usable = [s for s in study.series if _shows_anatomy(s) and _covers(s.volume.grid, liver)]
    return min(usable, key=_rank, default=None)


def _shows_anatomy(series: Series) -> bool:
    if series.modality is Modality.CT:
        return series.volume.quantity is Quantity.HU
    return series.modality is Modality.MR and series.sequence in (MrSequence.T1, MrSequence.T2)


def _covers(grid: Grid, liver: Mask) -> bool:
    """Whether the image lies in the liver's frame and shows nearly all of it."""
    if grid.frame_uid != liver.grid.frame_uid:
        return False
    if grid.is_same_as(liver.grid):
        return True
    voxels = np.argwhere(liver.inside)
    index = grid.to_index(liver.grid.to_mm(voxels[:: max(1, len(voxels) // 2000)]))
    seen = ((index >= -0.5) & (index <= np.array(grid.shape) - 0.5)).all(axis=1)
    return float(seen.mean()) >= LEAST_COVERED


def _rank(series: Series) -> tuple[int, float]:
    last = len(CLEAREST)
    place = CLEAREST.index(series.phase) if series.phase in CLEAREST else last
    if series.sequence is MrSequence.T2:
        place = last  # vessels without signal, and bile ducts that look like them
    return place, max(series.volume.grid.spacing_mm)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _View:
    """A liver with its surroundings, cut out of its grid and turned to L, P, S.

    Attributes:
        grid: The cut-out part, axes as the scan's.
        box: Where it lies in the scan.
        turn: How its axes lie to the patient's.
    """

    grid: Grid
    box: tuple[slice, ...]
    turn: Orientation

    @classmethod
    def of(cls, liver: Mask) -> Self:
        """The liver and `AROUND_MM` around it."""
        start, shape = bounding_box(liver, AROUND_MM)
        grid = liver.grid.crop(start, shape)
        box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
        return cls(grid=grid, box=box, turn=Orientation.of(grid))

    @property
    def axes(self) -> tuple[Axis, Axis, Axis]:
        """The turned voxels."""
        return self.turn.axes(self.grid)

    def image(self, volume: Volume, liver: Mask) -> np.ndarray:
        """A series on the turned voxels."""
        if volume.grid.is_same_as(liver.grid):
            return self.turn.turn(volume.values[self.box])
        part = resample(volume, self.grid, outside=float(volume.values.min()))
        return self.turn.turn(part.values)

    def region(self, inside: np.ndarray) -> np.ndarray:
        """A mask of the whole scan on the turned voxels."""
        return self.turn.turn(inside[self.box])

    def back(self, labels: np.ndarray, whole: Grid) -> np.ndarray:
        """Turned labels on the whole scan's voxels."""
        out = np.zeros(whole.shape, labels.dtype)
        out[self.box] = self.turn.turn_back(labels)
        return out


def _lesions(
    found: SegmentProbability,
    view: _View,
    lesions: LabelMap,
    labels: np.ndarray,
    card: SegmentsCard,
) -> tuple[dict[int, float], dict[int, float]]:
    """Probability of segment and of lobe by lesion id, for what the labels say of it."""
    from netseg.segment.couinaud_places import shares_of

    numbered, named = lesions.labels[view.box], labels[view.box]
    segments: dict[int, float] = {}
    lobes: dict[int, float] = {}
    for lesion in lesions.values:
        inside = numbered == lesion
        counts = np.bincount(named[inside], minlength=len(SEGMENTS) + 1)[1:]
        if not counts.any():
            continue  # outside the liver: nothing is known of it
        shares = shares_of(found, view.turn.turn(inside), view.axes)
        segments[lesion], lobes[lesion] = lesion_confidence(shares, int(counts.argmax()), card)
    return segments, lobes


def lesion_confidence(
    shares: Float[np.ndarray, "8"], most: int, card: SegmentsCard
) -> tuple[float, float]:
    """How likely the named segment and its lobe are the right ones.

    Args:
        shares: Mean probability of each segment over the lesion.
        most: Index of the segment that holds most of it.
        card: Says how mean probabilities turn into frequencies.
    """
    of_lobes = np.array([shares[_indices(lobe)].sum() for lobe in LOBES.values()])
    lobe = next(n for n, names in enumerate(LOBES.values()) if SEGMENTS[most] in names)
    return (
        float(_sharpened(shares, card.segment_power)[most]),
        float(_sharpened(of_lobes, card.lobe_power)[lobe]),
    )


def _indices(lobe: tuple[str, ...]) -> list[int]:
    return [SEGMENTS.index(name) for name in lobe]


def _sharpened(shares: np.ndarray, power: float) -> np.ndarray:
    raised = np.clip(shares, 1e-6, 1.0) ** power
    return raised / raised.sum()


def _unsure(series: Series, sure: float) -> Notice:
    return Notice(
        code=Code.SEGMENTS_UNCERTAIN,
        message=f"the network is not sure of the segments on {series.key} (mean probability "
        f"{sure:.2f}); they were not taken from it.",
        detail={"mean_probability": round(sure, 3)},
        hint="Give a scan in the portal venous phase, or a segment map.",
    )


def _notices(
    card: SegmentsCard, series: Series, lobes: Mapping[int, float], doubtful: float
) -> tuple[Notice, ...]:
    """That nobody checked the segments, and which lesions' lobes are doubtful."""
    notices = [
        Notice(
            code=Code.SEGMENTS_BY_NETWORK,
            message=f"{card.name} drew the segments on {series.key}; it learned on synthetic "
            "livers, and nobody checked them.",
            hint="Look at the hepatic veins where a lesion's segment decides.",
        )
    ]
    open_ones = {n: round(p, 2) for n, p in lobes.items() if p < doubtful}
    if open_ones:
        detail: dict[str, Any] = {"lobe_probability": {str(n): p for n, p in open_ones.items()}}
        notices.append(
            Notice(
                code=Code.SEGMENTS_UNCERTAIN,
                message=f"the lobe of lesion {', '.join(map(str, open_ones))} is doubtful: it lies "
                "near the middle hepatic vein's plane, or the veins are hardly visible.",
                detail=detail,
                hint="Decide it at the middle hepatic vein on the scan.",
            )
        )
    return tuple(notices)
