"""The staging record (S101-S103 of the source, [47, 48]): kept and shown, it decides nothing.

What the segmentation knows fills it; what only the pathologist knows stays None until stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netseg.domain.clinical import ClinicalFindings

SENTENCES = ("S101", "S102", "S103")


def staging_record(findings: ClinicalFindings) -> dict[str, Any]:
    """The staging record of one patient.

    Returns:
        Site, diameter, necrosis, cysts, nodes, resection margin, metastases in the liver and
        elsewhere, the stated TNM, and the M category that follows; None is unknown.
    """
    stated = findings.staging or {}
    surgery = findings.post_surgery
    liver = _liver(findings)
    metastases = _m_category(liver, findings)
    return {
        "site": None if findings.primary is None else str(findings.primary),
        "diameter_mm": findings.primary_diameter_mm,
        "necrosis": stated.get("necrosis"),
        "cysts": stated.get("cysts"),
        "resection_margin": None if surgery is None or surgery.margin is None
        else str(surgery.margin),
        "closest_margin_mm": stated.get("closest_margin_mm"),
        "nodes_positive": stated.get("nodes_positive"),
        "nodes_examined": stated.get("nodes_examined"),
        "liver_metastases": liver,
        "metastases_elsewhere": findings.extrahepatic_disease,
        "sites_elsewhere": None if findings.extrahepatic_sites is None
        else list(findings.extrahepatic_sites),
        "t": stated.get("t"),
        "n": stated.get("n"),
        "m": stated.get("m"),
        "m_by_findings": metastases,
        "m_mismatch": _mismatch(stated.get("m"), metastases),
        "edition": stated.get("edition"),
    }  # fmt: skip


def _liver(findings: ClinicalFindings) -> dict[str, Any] | None:
    """Number, largest diameter and share of the liver; None where the liver was not looked at."""
    count = findings.lesion_count if findings.lesions is None else len(findings.lesions)
    if count is None:
        return None
    sizes = [x.diameter_cm for x in findings.lesions or () if x.diameter_cm is not None]
    return {
        "count": count,
        "largest_cm": max(sizes, default=None),
        "burden_pct": None
        if findings.liver_burden_pct is None
        else round(findings.liver_burden_pct, 2),
    }


def _m_category(liver: dict[str, Any] | None, findings: ClinicalFindings) -> str | None:
    """M1 with any distant metastasis, M0 only where liver and the rest were both looked at."""
    reported = findings.liver_pattern_reported is not None
    if findings.extrahepatic_disease or reported or (liver is not None and liver["count"]):
        return "M1"
    if liver is not None and findings.extrahepatic_disease is False:
        return "M0"
    return None


def _mismatch(stated: str | None, found: str | None) -> bool | None:
    """Whether the stated M category begins otherwise than what the findings give."""
    if stated is None or found is None or stated.strip().upper().startswith("MX"):
        return None
    return found not in stated.strip().upper()
