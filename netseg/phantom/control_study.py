"""The demo patient after the ablation: a control scan of another day, with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Mask, Phase, Quantity, Volume
from netseg.geometry.nifti import to_nifti
from netseg.phantom.ablated import ControlSetup, Known, make_control
from netseg.phantom.ablated_zone import ZoneOrder
from netseg.phantom.ct import CtContrast, clean_hu, render_ct
from netseg.phantom.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.phantom.phantom import Phantom

MARGINS_MM = (9.0, 8.0, 2.0)
"""How far the zones reach beyond the lesions, the largest first; the last lesions get the last."""
SPACING_MM = (2.0, 2.0, 3.0)
LUMENS = (Tissue.PORTAL_VEIN, Tissue.HEPATIC_VEIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenControl:
    """Where a control scan was written.

    Attributes:
        study: Its folder, with a `study.yaml`.
        margins_mm: True smallest margin by the lesion's number in the phantom.
    """

    study: Path
    margins_mm: Mapping[int, float]


def write_control_study(phantom: Phantom, folder: Path) -> WrittenControl:
    """Ablate every lesion of a phantom, let a day pass, and write the portal-venous CT made then.

    Args:
        phantom: The patient.
        folder: The study's folder; made where it is absent. Its truth goes beside it.

    Returns:
        Where it lies, and how wide the margins are.
    """
    import nibabel
    import yaml

    rng = np.random.default_rng((phantom.seed, 0xC0))
    contrast = CtContrast()
    portal = Phase.PORTAL_VENOUS
    source = clean_hu(phantom, portal, contrast, np.random.default_rng((phantom.seed, 1)))
    lumens = np.isin(phantom.tissues.labels, LUMENS) & phantom.liver.inside
    known = Known(
        source=Volume(source.astype(np.float32), phantom.grid, Quantity.HU),
        liver=phantom.liver,
        lesions=phantom.lesions,
        vessels=Mask(lumens, phantom.grid),
        blobs={n: phantom.blobs[n] for n in phantom.lesions.values},
    )
    numbers = phantom.lesions.values
    margins = [*MARGINS_MM, *[MARGINS_MM[-1]] * len(numbers)]
    zones = tuple(
        ZoneOrder(lesions=(n,), margin_mm=mm) for n, mm in zip(numbers, margins, strict=False)
    )
    planning = render_ct(phantom, portal, rng, contrast=contrast)
    setup = ControlSetup(zones=zones, spacing_mm=SPACING_MM)
    made = make_control(planning, known, setup, rng)
    folder.mkdir(parents=True, exist_ok=True)
    values = np.clip(np.rint(made.control.values), -1024, 3071).astype(np.int16)
    scan = Volume(values, made.control.grid, Quantity.HU)
    nibabel.save(to_nifti(scan), folder / "ct_portal_venous.nii.gz")
    series = {"file": "ct_portal_venous.nii.gz", "modality": "CT", "phase": str(portal)}
    text = yaml.safe_dump({"case": folder.name, "series": [series]}, sort_keys=False)
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    truth = folder.with_name(f"{folder.name}_truth")
    truth.mkdir(exist_ok=True)
    for name, mask in (("zone", made.zone), ("lesions", made.lesions), ("liver", made.liver)):
        nibabel.save(to_nifti(mask), truth / f"{name}.nii.gz")
    return WrittenControl(
        study=folder, margins_mm={n: m.to_viable_mm for n, m in made.margins.items()}
    )
