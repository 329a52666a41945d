"""The truth beside a written study: masks, a list of what was planted, clinical facts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netseg.geometry.nifti import to_nifti

if TYPE_CHECKING:
    from pathlib import Path

    from netseg.phantom.lesions import LesionTruth
    from netseg.phantom.phantom import Phantom

# A well-differentiated small-bowel NET, G2, receptor-positive, liver-only: invented for the demo.
CLINICAL_FACTS: dict[str, Any] = {
    "age": 58,
    "sex": "F",
    "primary": "small_intestine",
    "primary_resected": True,
    "differentiation": "well",
    "ki67": 4,
    "functioning": False,
    "symptomatic": False,
    "sstr": 4,
    "ga68_pet": "positive",
    "extrahepatic_disease": False,
    "fit_for_local_treatment": True,
    "general_anaesthesia_possible": True,
    "liver_surgery_possible": True,
    "portal_vein_thrombosis": False,
    "hepatic_failure": False,
    "prior_whipple": False,
    "imaging_done": ["triphasic_ct", "ga68_sstr_pet"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenStudy:
    """Where a synthetic study was written.

    Attributes:
        study: The folder to hand to `netseg run -i`; its name is the case id.
        truth: The folder with the truth masks and `truth.json`.
        case: The clinical facts for `netseg run --clinical`.
    """

    study: Path
    truth: Path
    case: Path


def case_name(phantom: Phantom) -> str:
    """Case id of a phantom; holds nothing of its header's patient name or id."""
    return f"case-{phantom.seed:04d}"


def write_truth(phantom: Phantom, folder: Path) -> None:
    """Masks of liver, lesions, segments, vessels and tissues, and `truth.json`."""
    import nibabel

    folder.mkdir(parents=True, exist_ok=True)
    images = {
        "liver": phantom.liver,
        "lesions": phantom.lesions,
        "segments": phantom.segments,
        "vessels": phantom.vessels,
        "tissues": phantom.tissues,
    }
    for name, image in images.items():
        nibabel.save(to_nifti(image), folder / f"{name}.nii.gz")
    text = json.dumps(truth_document(phantom), indent=1)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8")


def truth_document(phantom: Phantom) -> dict[str, Any]:
    """What was planted and how large the liver and its segments are, as JSON types."""
    return {
        "schema_version": "1",
        "seed": phantom.seed,
        "liver_volume_ml": round(phantom.liver.volume_ml, 3),
        "segment_volume_ml": {
            name: round(phantom.segments.region(n).volume_ml, 3)
            for n, name in phantom.segments.names.items()
        },
        "lesions": [_entry(t) for t in phantom.truth],
        "mimics": [_entry(t) for t in phantom.mimic_truth],
    }


def _entry(truth: LesionTruth) -> dict[str, Any]:
    return {
        "id": truth.id,
        "kind": str(truth.kind),
        "segment": truth.segment,
        "diameter_mm": round(truth.diameter_mm, 3),
        "volume_ml": round(truth.volume_ml, 4),
        "drawn_volume_ml": round(truth.drawn_volume_ml, 4),
        "centre_mm": [round(c, 3) for c in truth.centre_mm],
        "suv": round(truth.suv, 3),
    }


def write_case(path: Path) -> None:
    """The clinical facts as a findings document without measured fields."""
    import yaml

    head = "# Clinical facts of a synthetic patient; fields left out are unknown.\n"
    path.write_text(head + yaml.safe_dump(CLINICAL_FACTS, sort_keys=False), encoding="utf-8")
