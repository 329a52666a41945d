"""Rim and core of lesions painted into any image of the phantom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.lesions import LesionKind
from netseg.phantom.phantom import Phantom, blob_rho
from netseg.phantom.raster import axes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

CORE_ENDS = {LesionKind.RING: 0.72, LesionKind.NECROTIC: 0.66, LesionKind.HAEMANGIOMA: 0.6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """Values of one lesion in one image.

    Attributes:
        rim: Value near its surface.
        core: Value in its middle.
        texture: Weight of the slow texture.
    """

    rim: float
    core: float
    texture: float = 0.0


def shade_lesions(
    phantom: Phantom,
    image: Float[np.ndarray, "i j k"],
    shades: Mapping[int, Shade],
    texture: Float[np.ndarray, "i j k"],
) -> None:
    """Paint every lesion (id) and mimic (minus its id) into `image`, edges soft over one voxel."""
    axes = axes_of(phantom.grid)
    voxel = float(np.prod(phantom.grid.spacing_mm)) ** (1 / 3)
    kinds = {t.id: t.kind for t in phantom.truth} | {-t.id: t.kind for t in phantom.mimic_truth}
    for number in sorted(phantom.blobs):
        blob, shade = phantom.blobs[number], shades[number]
        box, rho = blob_rho(axes, blob, voxel)
        if box is None or rho is None:
            continue
        scale = float(np.mean(blob.half_axes_mm))
        soft = np.clip((1 - rho) * scale / voxel + 0.5, 0, 1) * phantom.liver.inside[box]
        end = CORE_ENDS.get(kinds[number], 0.8)
        core = np.clip((end - rho + 0.10 * texture[box]) / 0.15 + 0.5, 0, 1)
        value = shade.rim + core * (shade.core - shade.rim) + shade.texture * texture[box]
        image[box] += (soft * (value - image[box])).astype(np.float32)
