"""Other people's networks: MONAI's by name, weights as safetensors, a description beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import (
    Code,
    LabelMap,
    Mask,
    ModelProvenance,
    Quantity,
    Segmentation,
    StudyRejectedError,
    UsageError,
    Volume,
)
from netseg.segment.blocks import returned_when_freed
from netseg.segment.description import Description
from netseg.segment.device import pick_device
from netseg.segment.listing import Listing, list_lesions
from netseg.segment.orient import Orientation
from netseg.segment.wanted import on_first_grid, series_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.domain import Grid, Study
    from netseg.segment.described_network import DescribedNetwork

EVERY_SPOT = Listing(smallest_ml=0.0, least_inside=0.5, least_confidence=0.0)
"""Whoever trained the network chose what it calls a lesion; only what is no liver is left out."""


class BundleBackend:
    """Liver and lesions by a network that somebody trained with MONAI.

    Nothing is unpickled and nothing evaluated: the network is a word of a table, its weights are
    safetensors, all else stands in the description. Read when the first study comes.

    Attributes:
        weights: FILE.safetensors with FILE.yaml or FILE.json beside it.
        device: "auto", "cpu" or "cuda[:N]".
        overlap: Share of the patch edge that neighbours have in common; None as described.
        smallest_liver_ml: Less than this is no liver, where the network outlines it.
        compiled: Compile the network at the first study, a minute or two: for long batches.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: str = "auto",
        *,
        overlap: float | None = None,
        smallest_liver_ml: float = 200.0,
        compiled: bool = False,
    ) -> None:
        if weights is None:
            raise UsageError(
                Code.CONFIG_RANGE,
                "bundle needs to know which network to use.",
                hint="Say --weights FILE.safetensors, with its description beside it.",
            )
        self.weights = Path(weights)
        self.device = device
        self.overlap = overlap
        self.smallest_liver_ml = smallest_liver_ml
        self.compiled = compiled
        self._loaded: DescribedNetwork | None = None

    def segment(self, study: Study) -> Segmentation:
        """Liver and lesions on the network's first channel.

        Args:
            study: Must hold a series for every channel of the network.

        Raises:
            StudyRejectedError: NO_USABLE_SERIES, NO_LIVER, NON_FINITE_OUTPUT.
            EnvironmentFaultError: If the weights cannot be used.
            UsageError: If the description cannot.
        """
        network = self.network()
        described = network.described
        series, notices = series_for(study, described.channels, described.name)
        grid = series[0].volume.grid
        with returned_when_freed():
            probability, liver = self._find(on_first_grid(series, described.channels))
        if liver is not None:
            self._require_liver(liver, grid, series[0].key)
        inside = np.ones(grid.shape, np.bool_) if liver is None else liver
        listed = list_lesions(probability, inside, grid, described.threshold, EVERY_SPOT)
        return Segmentation(
            series_key=series[0].key,
            liver=None if liver is None else Mask(liver | (listed.labels != 0), grid),
            lesions=LabelMap(listed.labels, grid),
            lesion_probability=Volume(probability, grid, Quantity.PROBABILITY),
            confidence=listed.confidence,
            boundary_sd_mm=listed.boundary_sd_mm,
            provenance=ModelProvenance(
                backend="bundle",
                name=described.name,
                weights_sha256={"liver": network.sha256, "lesions": network.sha256},
            ),
            warnings=notices,
        )

    def threshold(self) -> float:
        """Probability from which a voxel is lesion; half, where the likeliest class decides."""
        return self.network().described.threshold

    def network(self) -> DescribedNetwork:
        """The network, read at the first call."""
        if self._loaded is None:
            from netseg.segment.described_network import load_network

            described = Description.beside(self.weights)
            self._loaded = load_network(
                described, self.weights, pick_device(self.device), is_compiled=self.compiled
            )
        return self._loaded

    def _find(self, volumes: Sequence[Volume]) -> tuple[np.ndarray, np.ndarray | None]:
        """Probability of lesion, and the liver, on the scan's voxels."""
        from netseg.segment.streaming import brought_back

        network, grid = self.network(), volumes[0].grid
        turn = Orientation.of(grid)
        axes = turn.axes(grid)
        target = network.voxels(axes)
        image = network.image([turn.turn(v.values) for v in volumes], axes, target)
        slices = network.sweep(self.overlap).settled(image)
        shape = tuple(axis.count for axis in axes)
        probability, liver = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
        for place, found in brought_back(slices, target, axes):
            probability[:, :, place], liver[:, :, place] = self._decided(found)
        outlines = network.described.liver is not None
        whole = np.ascontiguousarray(turn.turn_back(liver)) if outlines else None
        return np.ascontiguousarray(turn.turn_back(probability)), whole

    def _decided(self, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probability of lesion and the liver in a few slices.

        Where lesion is the likeliest of three without reaching the threshold, its probability is
        raised to the threshold, so that the outline is the network's own.
        """
        lesion, organ = found
        described = self.network().described
        if described.output == "sigmoid":
            return lesion, np.maximum(lesion, organ) >= described.threshold
        rest = 1.0 - lesion - organ
        is_lesion = (lesion >= organ) & (lesion >= rest)
        least = np.where(is_lesion, np.float32(described.threshold), np.float32(0.0))
        return np.maximum(lesion, least), is_lesion | (organ > rest)

    def _require_liver(self, liver: np.ndarray, grid: Grid, key: str) -> None:
        found_ml = float(np.count_nonzero(liver)) * grid.voxel_volume_ml
        if found_ml < self.smallest_liver_ml:
            raise StudyRejectedError(
                Code.NO_LIVER,
                f"{key}: the network found {found_ml:.0f} ml of liver, less than the "
                f"{self.smallest_liver_ml:.0f} ml of the smallest plausible one.",
                detail={"found_ml": round(found_ml, 1), "least_ml": self.smallest_liver_ml},
                hint="Check that the scan covers the liver, and orientation and intensity in the "
                "description.",
            )
