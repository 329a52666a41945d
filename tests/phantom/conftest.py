"""One phantom for the whole folder: growing it takes a second or two."""

from __future__ import annotations

import pytest
import torch

from netseg.phantom import LesionKind, LesionSpec, Phantom, Tissue, make_phantom

PLANTED = (
    LesionSpec(diameter_mm=24.0, segment="VI", kind=LesionKind.HYPERVASCULAR, suv=30.0),
    LesionSpec(diameter_mm=20.0, segment="VIII", kind=LesionKind.HYPOVASCULAR, suv=20.0),
    LesionSpec(diameter_mm=18.0, segment="IV", kind=LesionKind.CYST),
)


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """Two metastases and a cyst in a liver of 1500 ml, 2 x 2 x 3 mm."""
    return make_phantom(5, spacing_mm=(2.0, 2.0, 3.0), lesions=PLANTED, liver_ml=1500.0)


@pytest.fixture(scope="session")
def label_map() -> tuple[torch.Tensor, torch.Tensor]:
    """Tissues and liver on 3 mm voxels: an ellipsoid of 0.56 l in fat, with spleen, kidney, vein."""
    axes = [(torch.arange(n, dtype=torch.float32) - 0.5 * (n - 1)) * 3.0 for n in (44, 40, 36)]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    liver = ((x + 6) / 54) ** 2 + (y / 51) ** 2 + (z / 49) ** 2 < 1
    tissues = torch.full(liver.shape, int(Tissue.FAT), dtype=torch.uint8)
    tissues[liver] = Tissue.LIVER
    fat = tissues == Tissue.FAT
    tissues[(x > 50) & (z > 4) & fat] = Tissue.SPLEEN
    tissues[(x > 50) & (z <= -4) & fat] = Tissue.KIDNEY_CORTEX
    tissues[(y + 15) ** 2 + z**2 < 60] = Tissue.PORTAL_VEIN
    return tissues, liver
