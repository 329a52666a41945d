"""The ablation zone in a control scan, outlined by a small network that learned from made ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.verify.zone_levels import bulk
from netseg.verify.zone_region import ASTRAY_MM, Scene, filled, touching
from netseg.verify.zone_search import Found, search
from netseg.verify.zone_weights import SHIPPED, ZoneCard, load_zone_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxtyping import Bool, Float
    from torch import nn

    from netseg.domain.ablation import AblationZone
    from netseg.domain.grid import Grid
    from netseg.domain.volume import LabelMap, Mask, Volume

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

NEAR_MM = 6.0  # around the surface: where its probability tells how sure its place is
FEW = 50  # voxels of liver without which nothing can be told
LEAST_ML = 0.05  # what is smaller is no zone
SEEN = 0.5  # of the liver's spread, voxel by voxel: a zone whose shell differs by less is not seen
SHELL_MM = (1.0, 5.0)  # beneath its surface; its middle may be as dense as liver


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedZone:
    """Outlines the zone with a network, seeded by the lesions and the plan.

    The probability of every voxel is calibrated by a temperature. How far the surface may be off
    follows from how slowly the probability falls across it.

    Attributes:
        weights: A safetensors file with its card beside it; None takes those shipped.
        reach_mm: How far beyond a lesion its zone may end.
    """

    weights: Path | None = None
    reach_mm: float = 30.0

    def __post_init__(self) -> None:
        """Keep the reach positive."""
        if not (np.isfinite(self.reach_mm) and self.reach_mm > 0):
            raise ValueError(f"reach_mm must be a positive length; got {self.reach_mm}.")

    def zone(
        self, control: Volume, lesions: LabelMap, liver: Mask | None, planned: Mask | None = None
    ) -> AblationZone:
        """The observed zone of all lesions together.

        Args:
            control: The scan after the ablation, on perpendicular axes; HU or any other unit.
            lesions: The lesions where the registration put them, 6 mm astray at most.
            liver: The liver; None looks in all soft tissue.
            planned: The zone that the plan predicted, where there was a plan: a seed as well.

        Returns:
            The zone on the control scan's grid. `provenance` names the lesions without a zone.

        Raises:
            EnvironmentFaultError: If the weights are missing, damaged or not those of the card.
            FrameMismatchError, GridMismatchError: If the masks are not on the control scan's grid.
            StudyRejectedError: LESION_OUTSIDE_SCAN, ZONE_NOT_SEEN at any lesion, ZONE_LEAKS, or
                GANTRY_TILT.
        """
        self._network()
        return search(self, control, lesions, liver, planned)

    @property
    def method(self) -> Mapping[str, object]:
        """What the record says."""
        card, _ = self._network()
        return {"method": f"network {card.name}", "weights_sha256": card.sha256}

    def edge_mm(self, grid: Grid) -> float:
        """Voxel edge of the scene: the network's, whatever the scan's grid."""
        del grid
        return self._network()[0].spec.spacing_mm

    def find(self, scene: Scene) -> Found | None:
        """The zone around one lesion; None where the network sees none there."""
        if np.count_nonzero(scene.liver & ~scene.lesion) < FEW:
            return None
        p = self.probability(scene)
        near = ndimage.distance_transform_edt(~scene.seed, sampling=scene.spacing_mm) <= ASTRAY_MM
        inside = touching((p > 0.5) & scene.liver, scene.lesion, scene.seed, near)
        inside = filled(inside, scene)
        if np.count_nonzero(inside) * scene.spacing_mm**3 < 1000.0 * LEAST_ML:
            return None
        if np.count_nonzero(scene.liver & ~inside & ~scene.seed) < FEW:
            return None
        if not _differs(scene, inside):
            return None
        level = 0.5 - p
        level[~inside] = np.maximum(level[~inside], 1e-3)
        level[inside] = np.minimum(level[inside], -1e-3)
        card, _ = self._network()
        spread = surface_spread_mm(p, inside, scene)
        sd_mm = card.sd_gain * float(np.hypot(spread, card.sd_floor_mm))
        return Found(
            field=level.astype(np.float32),
            boundary_sd_mm=sd_mm,
            values={"probability": round(float(p[inside].mean()), 3)},
        )

    def probability(self, scene: Scene) -> Float[np.ndarray, "i j k"]:
        """How sure the network is that a voxel is dead tissue, calibrated, on the scene's voxels.

        Raises:
            EnvironmentFaultError: If the weights are missing, damaged or not those of the card.
        """
        import torch

        from netseg.verify.zone_network import network_input

        card, network = self._network()
        x = network_input(scene.values, scene.liver, scene.lesion, scene.planned, is_hu=scene.is_hu)
        room = [(-n) % card.spec.multiple for n in x.shape[1:]]
        padding = [side for missing in room[::-1] for side in (0, missing)]
        shown = torch.nn.functional.pad(x[None], padding, mode="replicate")
        with torch.inference_mode():
            logits = network(shown)[0, 0]
        i, j, k = x.shape[1:]
        return torch.sigmoid(logits[:i, :j, :k].float() / card.temperature).numpy().copy()

    def _network(self) -> tuple[ZoneCard, nn.Module]:
        return _loaded(self.weights or SHIPPED)


@lru_cache(maxsize=2)
def _loaded(path: Path) -> tuple[ZoneCard, nn.Module]:
    return load_zone_weights(path)


def _differs(scene: Scene, inside: Bool[np.ndarray, "i j k"]) -> bool:
    """Whether what lies beneath a zone's surface is darker or brighter than the liver.

    A network answers where nothing is to be seen, too; the image must bear it out.
    """
    depth_mm = ndimage.distance_transform_edt(inside) * scene.spacing_mm
    shell = inside & (depth_mm > SHELL_MM[0]) & (depth_mm < SHELL_MM[1])
    liver = bulk(scene.values[scene.liver & ~inside & ~scene.seed])
    return bool(abs(np.median(scene.values[shell]) - liver.value) >= SEEN * liver.spread)


def surface_spread_mm(
    p: Float[np.ndarray, "i j k"], inside: Bool[np.ndarray, "i j k"], scene: Scene
) -> float:
    """Standard deviation of the surface's place along its normal, from a probability.

    Where the place has a normal distribution of standard deviation s, p falls across it as its
    distribution function, and the integral of p (1 - p) along the normal is s over the root of pi.
    So s is that root times the volume integral around the surface over the surface's area. Of a
    surface known exactly p is the share of each voxel inside; the integral is then a sixth of the
    voxel's edge, which is taken off (in squares).

    Args:
        p: Probability.
        inside: The zone.
        scene: Voxels and liver; the surface is looked at within the liver's core.
    """
    edge = scene.spacing_mm
    outside_mm = ndimage.distance_transform_edt(~inside) * edge
    within_mm = ndimage.distance_transform_edt(inside) * edge
    core = ndimage.distance_transform_edt(np.pad(scene.liver, 1, mode="edge"))[1:-1, 1:-1, 1:-1]
    where = (np.maximum(outside_mm, within_mm) < NEAR_MM) & (core * edge > scene.edge_mm)
    slope = ndimage.gaussian_gradient_magnitude(inside.astype(np.float32), 1.0)
    area_mm2 = float(slope[where].sum()) * edge**2
    if area_mm2 <= 0:
        return edge
    volume_mm3 = float((p * (1.0 - p))[where].sum()) * edge**3
    total = np.sqrt(np.pi) * volume_mm3 / area_mm2
    return float(np.sqrt(max(total**2 - (np.sqrt(np.pi) * edge / 6.0) ** 2, 0.0)))
