"""A sample made for training: images, truth and what is known of every body in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from netseg.phantom.acquisition import Scan
    from netseg.phantom.appearance import Family
    from netseg.phantom.lesions import LesionKind
    from netseg.phantom.misfit import Misfit
    from netseg.phantom.tumour_prior import Mimic, Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One planted lesion or look-alike, as the images show it.

    Attributes:
        number: Its number in `Synthetic.instances`; look-alikes count from -1 down.
        kind: Its look.
        hyper: Whether its living part enhances in the arterial phase.
        diameter_mm: Longest diameter of the shape, before patch or capsule cut it.
        volume_ml: Volume of its voxels in the patch.
        cnr: Contrast over the liver's standard deviation per channel: root mean square of what the
            body changes in the recorded mean image, over its voxels. Empty for look-alikes.
        needed: Smallest contrast-to-noise at which it counts as visible.
        raised: Whether its contrast had to be raised to be visible.
    """

    number: int
    kind: LesionKind | Mimic
    hyper: bool
    diameter_mm: float
    volume_ml: float
    cnr: Mapping[str, float] = field(default_factory=dict)
    needed: float = 0.0
    raised: bool = False

    @property
    def visible(self) -> bool:
        """Whether at least one channel shows it."""
        return any(value >= self.needed for value in self.cnr.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synthetic:
    """Images and truth of one sample, all on the device of the label map.

    Attributes:
        images: Channel to image in native units: HU, MR signal, SUVbw; float32 (i, j, k).
        lesions: The lesions that are visible, in the frame of the first channel's scanner.
        instances: Their numbers, int16; look-alikes are negative.
        bodies: Lesions in the truth.
        mimics: Look-alikes.
        dropped: Lesions that no channel showed, as they were; they are in neither images nor truth.
        pattern: How the lesions are spread.
        free: Whether contrasts were drawn freely instead of from the tables.
        scans: The scanner of each channel.
        misfits: How a family of channels lies against the first channel's; absent where it fits.
    """

    images: dict[str, torch.Tensor]
    lesions: torch.Tensor
    instances: torch.Tensor
    bodies: tuple[Body, ...]
    mimics: tuple[Body, ...]
    dropped: tuple[Body, ...]
    pattern: Pattern
    free: bool
    scans: dict[str, Scan]
    misfits: dict[Family, Misfit]
