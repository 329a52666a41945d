"""Scenes that patches are cut from: the images of a body region with liver and lesions named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path  # noqa: TC003 (resolved at run time by the registry's signatures)
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netseg.domain import Code, EnvironmentFaultError
from netseg.segment.sampling import Axis, resize

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

LIVER, LESION, UNSEEN = 1, 2, 255
PORTAL = "ct_portal"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One body region on cubic voxels, axes along LPS.

    Attributes:
        name: Where it is from.
        images: HU, SUVbw or signal by channel, each (i, j, k) float32.
        labels: 0 background, 1 liver, 2 lesion, 255 nobody looked; (i, j, k) uint8.
        spacing_mm: Voxel edge.
        clean: Whether every lesion is outlined, so that the rest of the liver teaches "no lesion"
            and painting further ones is truthful.
        real: Whether the liver is a patient's.
    """

    name: str
    images: Mapping[str, torch.Tensor]
    labels: torch.Tensor
    spacing_mm: float
    clean: bool
    real: bool = True

    def __post_init__(self) -> None:
        """Keep images and labels of one shape, and the liver present."""
        for channel, image in self.images.items():
            if image.shape != self.labels.shape:
                raise ValueError(
                    f"{self.name}: {channel} is {tuple(image.shape)}, labels are "
                    f"{tuple(self.labels.shape)}."
                )
        if not bool(self.liver.any()):
            raise ValueError(f"{self.name}: a scene needs a liver.")

    @property
    def liver(self) -> torch.Tensor:
        """The liver, lesions included."""
        return (self.labels == LIVER) | (self.labels == LESION)

    @property
    def hu(self) -> torch.Tensor:
        """The portal venous CT."""
        return self.images[PORTAL]

    def with_ct(self, hu: np.ndarray, labels: np.ndarray | None = None) -> Scene:
        """The scene with another portal venous CT, and other labels where given."""
        named = self.labels if labels is None else torch.from_numpy(labels)
        image = torch.from_numpy(np.asarray(hu, np.float32))
        return replace(self, images={PORTAL: image}, labels=named)


def read_lps(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """An image file with its axes turned to L, P, S.

    Returns:
        Values and voxel size in mm.

    Raises:
        EnvironmentFaultError: If the file is not there.
    """
    import nibabel as nib

    if not path.is_file():
        raise EnvironmentFaultError(
            Code.NO_INPUT,
            f"training data: {path.name} is not in {path.parent.name}.",
            hint="Set data.root=FOLDER or NETSEG_DATA to the folder that holds the training sets.",
        )
    image: Any = nib.load(path)
    to_lps = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt("LPS")
    )
    values = nib.orientations.apply_orientation(np.asanyarray(image.dataobj), to_lps)
    turned = image.affine @ nib.orientations.inv_ornt_aff(to_lps, image.shape)
    i, j, k = np.linalg.norm(turned[:3, :3], axis=0)
    return values, (float(i), float(j), float(k))


def to_cubic(
    values: np.ndarray, spacing_mm: tuple[float, float, float], cubic_mm: float
) -> Float[np.ndarray, "a b c"]:
    """Values on cubic voxels covering the same region."""
    i, j, k = (Axis(count=n, spacing_mm=s) for n, s in zip(values.shape, spacing_mm, strict=True))
    cubic = (i.with_spacing(cubic_mm), j.with_spacing(cubic_mm), k.with_spacing(cubic_mm))
    return resize(values, (i, j, k), cubic)


def labels_to_cubic(
    labels: np.ndarray, spacing_mm: tuple[float, float, float], cubic_mm: float
) -> np.ndarray:
    """Liver and lesions on cubic voxels: each voxel's share of tissue decides at one half."""
    liver = to_cubic((labels > 0).astype(np.float32), spacing_mm, cubic_mm) >= 0.5
    lesion = to_cubic((labels == LESION).astype(np.float32), spacing_mm, cubic_mm) >= 0.5
    return np.where(lesion, LESION, np.where(liver, LIVER, 0)).astype(np.uint8)


def lits_crops(root: Path, cases: tuple[str, ...], spacing_mm: float) -> list[Scene]:
    """The LiTS crops: real anatomy around the liver, lesions outlined (MSD Task03, CC BY-SA 4.0)."""
    scenes = []
    for case in cases:
        folder = root / "ct_lits_train"
        hu, size_mm = read_lps(folder / f"{case}_ct.nii.gz")
        labels, _ = read_lps(folder / f"{case}_liver_lesion.nii.gz")
        scenes.append(
            Scene(
                name=case,
                images={PORTAL: torch.from_numpy(to_cubic(hu, size_mm, spacing_mm))},
                labels=torch.from_numpy(labels_to_cubic(labels, size_mm, spacing_mm)),
                spacing_mm=spacing_mm,
                clean=True,
                real=True,
            )
        )
    return scenes


def bare_livers(
    root: Path, cases: tuple[str, ...], clean: tuple[str, ...], spacing_mm: float
) -> list[Scene]:
    """Livers without their surroundings (3D-IRCADb, CC BY-NC-ND); outside holds the median.

    Lesions in them are not outlined: only those named in `clean` may stand as lesion-free.
    """
    scenes = []
    for case in cases:
        folder = root / "ct_liver_roi_train"
        hu, size_mm = read_lps(folder / f"{case}_ct_liveronly.nii.gz")
        liver, _ = read_lps(folder / f"{case}_liver.nii.gz")
        scenes.append(
            Scene(
                name=case,
                images={PORTAL: torch.from_numpy(to_cubic(hu, size_mm, spacing_mm))},
                labels=torch.from_numpy(labels_to_cubic(liver > 0, size_mm, spacing_mm)),
                spacing_mm=spacing_mm,
                clean=case in clean,
                real=True,
            )
        )
    return scenes
