"""The report's words for codes and verdicts: a simulated margin predicts, it never certifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from netseg.domain import Evidence, Verdict
from netseg.domain.allocation import AllocationStatus, OptionStatus, Route

if TYPE_CHECKING:
    from netseg.domain import LesionMargin, MarginReport

ROUTES: Final = {
    Route.LOCAL_CURATIVE: "Local treatment with curative intent",
    Route.TRANSARTERIAL: "Transarterial treatment",
    Route.SYSTEMIC: "Systemic treatment",
    Route.PRIMARY_SURGERY: "Surgery of the primary",
    Route.SURVEILLANCE: "Surveillance",
    Route.MDT_REVIEW: "Review by the tumour board",
}
STATUSES: Final = {
    AllocationStatus.DETERMINED: "Determined by the facts given",
    AllocationStatus.UNDETERMINED: "Undetermined: facts are missing",
    AllocationStatus.CONFLICT: "Conflict: facts contradict each other",
    AllocationStatus.REJECTED: "Rejected: the findings cannot be used",
}
OPTION_STATUSES: Final = {
    OptionStatus.RECOMMENDED: "Recommended",
    OptionStatus.OPTION: "Option",
    OptionStatus.CONSIDERED: "May be considered",
    OptionStatus.INVESTIGATIONAL: "Investigational",
    OptionStatus.LIMITED: "Limited evidence",
    OptionStatus.UNDETERMINED: "Undetermined: depends on what is not known",
    OptionStatus.NOT_SUPPORTED: "Not supported here",
    OptionStatus.CONTRAINDICATED: "Contraindicated",
}
TERMS: Final = {
    "srfa": "Stereotactic radiofrequency ablation (SRFA)",
    "rfa": "Radiofrequency ablation (RFA)",
    "mwa": "Microwave ablation (MWA)",
    "cryo": "Cryoablation",
    "ire": "Irreversible electroporation (IRE)",
    "tame": "Transarterial embolisation (TAME)",
    "ctace": "Conventional chemoembolisation (cTACE)",
    "deb_tace": "Drug-eluting bead chemoembolisation (DEB-TACE)",
    "tare": "Radioembolisation (TARE, SIRT)",
    "ssa": "Somatostatin analogues (SSA)",
    "prrt": "Peptide receptor radionuclide therapy (PRRT)",
    "chemo_stz": "Chemotherapy, streptozocin-based",
    "chemo_temcap": "Chemotherapy, temozolomide + capecitabine",
    "chemo_cis_eto": "Chemotherapy, cisplatin + etoposide",
    "emr": "Endoscopic mucosal resection (EMR)",
    "triphasic_ct": "Triphasic CT",
    "ct_chest_abdomen_pelvis": "CT of chest, abdomen and pelvis",
    "mri_gd_dwi": "MRI with gadolinium and diffusion weighting",
    "sstr_imaging": "Somatostatin-receptor imaging",
    "ga68_sstr_pet": "Ga-68 somatostatin-receptor PET",
    "sstr_spect": "Somatostatin-receptor SPECT",
    "f18_dopa_pet": "F-18 DOPA PET",
    "fdg_pet": "FDG PET",
    "eus": "Endoscopic ultrasound",
    "ceus": "Contrast-enhanced ultrasound",
    "ki67": "Ki-67",
    "sstr": "Somatostatin receptor status",
    "men1": "MEN 1",
    "ga68_pet": "Ga-68 PET",
    "r0_a0_possible": "whether R0 resection or A0 ablation is possible",
    "mdt": "Multidisciplinary team",
    "primary": "site of the primary",
    "primary_resected": "whether the primary was resected",
    "extrahepatic_disease": "extrahepatic disease",
    "functioning": "endocrine activity (functioning tumour)",
    "symptomatic": "symptoms",
    "fit_for_local_treatment": "fitness for local treatment",
    "general_anaesthesia_possible": "whether general anaesthesia is possible",
    "liver_surgery_possible": "whether liver surgery is possible",
    "prior_whipple": "previous Whipple procedure",
    "hepatopulmonary_shunt_pct": "shunt from liver to lung (%)",
    "achievable_cytoreduction_pct": "achievable cytoreduction (%)",
    "other_drugs_available": "whether other drugs are available",
    "gastric_type": "type of the gastric tumour",
    "grade_reported": "grade as reported",
    "liver_burden_pct": "tumour burden of the liver (%)",
    "largest_cm": "largest lesion (cm)",
    "smallest_cm": "smallest lesion (cm)",
    "post_ablation": "result of an ablation",
    "not_covered": "not covered by the source",
    "diameter_mm": "diameter of the primary (mm)",
    "liver_metastases_count": "liver metastases",
    "liver_metastases_largest_cm": "largest of them (cm)",
    "liver_metastases_burden_pct": "share of the liver (%)",
    "m_by_findings": "M category by the findings",
    "m_mismatch": "stated M category differs from the findings",
}
MARGIN_EVIDENCE: Final = {
    Evidence.SIMULATED: "Simulated zone: a prediction of the plan, not an observation.",
    Evidence.GIVEN_MASKS: "Zone given as a mask.",
    Evidence.CONTROL_SCAN: "Zone seen on a control scan.",
}


def term(name: object) -> str:
    """A code of the contract in a reader's words; unknown codes lose their underscores only."""
    text = str(name)
    return TERMS.get(text) or text.replace("_", " ")


def title(name: object) -> str:
    """A term that begins a line: its first letter large."""
    text = term(name)
    return text[:1].upper() + text[1:]


def fact(value: object) -> str:
    """A fact's value in words: nobody reads `False` or `None` in a report."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        parts = cast("list[object] | tuple[object, ...]", value)
        return ", ".join(fact(v) for v in parts) or "none"
    return term(value)


def verdict_text(report: MarginReport, margin: LesionMargin) -> str:
    """The verdict in words. What was not observed is worded as the plan's prediction."""
    cutoff = f"{report.cutoff_mm:g} mm"
    if report.observed:
        return {
            Verdict.A0: f"A0: margin of at least {cutoff} seen all around",
            Verdict.A0_UNCERTAIN: f"uncertain: a margin of {cutoff} can neither be stated nor excluded",
            Verdict.NOT_A0: f"not A0: margin below {cutoff}",
            Verdict.RESIDUAL: "residual: part of the lesion lies outside the zone",
            Verdict.NOT_ASSESSABLE: "not assessable",
        }[margin.verdict]
    return {
        Verdict.A0: f"plan predicts a margin of at least {cutoff}",
        Verdict.A0_UNCERTAIN: f"plan predicts a margin that may fall below {cutoff}",
        Verdict.NOT_A0: f"plan predicts a margin below {cutoff}",
        Verdict.RESIDUAL: "plan predicts untreated tumour",
        Verdict.NOT_ASSESSABLE: "plan predicts nothing that could be assessed",
    }[margin.verdict]


def margin_headline(report: MarginReport | None) -> str:
    """All lesions in one sentence for the box at the top."""
    if report is None or not report.lesions:
        return "No margin was computed."
    smallest, cutoff = report.smallest_mm, f"{report.cutoff_mm:g} mm"
    if smallest is None:
        return "At least one lesion's margin is not assessable."
    known = [m for m in report.lesions if m.verdict is Verdict.A0]
    count = f"{len(known)} of {len(report.lesions)} lesions"
    if report.observed:
        return (
            f"A0 (margin of at least {cutoff}) seen in {count}; smallest margin {smallest:.1f} mm."
        )
    return (
        f"Plan predicts at least {cutoff} in {count}; smallest predicted margin {smallest:.1f} mm. "
        "A prediction certifies nothing: only a control scan can."
    )


def measure_label(name: str) -> str:
    """Column head of a measured quantity: "mean_hu_portal_venous" is "Mean HU portal venous"."""
    words = name.replace("_", " ").strip()
    for small, written in (("hu", "HU"), ("suv", "SUV"), ("adc", "ADC"), ("pct", "%")):
        words = " ".join(written if w == small else w for w in words.split())
    return words[:1].upper() + words[1:]
