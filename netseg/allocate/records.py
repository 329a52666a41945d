"""Fields of the findings document that are records: past treatments and the TNM staging."""

from __future__ import annotations

from typing import Any

from netseg.allocate.kinds import FLAG, TEXT, Kind, WrongValueError, choice, integer, number
from netseg.allocate.nested import POST_ABLATION, read_keys, read_mapping, refuse_unknown
from netseg.domain.clinical import DiseaseCourse, PastTreatment
from netseg.domain.codes import Code

ABLATIONS = ("srfa", "rfa", "mwa", "cryoablation", "ire", "repeat_ablation")

CHEMOTHERAPY = ("chemo_stz", "chemo_temcap", "chemo_cis_eto", "chemo_carbo_eto", "chemo_iri_fp")

EMBOLISATION = ("tame", "ctace", "deb_tace")

TREATMENTS = (
    "resection", *ABLATIONS, *EMBOLISATION, "tare", "ssa", "interferon", "prrt", "everolimus",
    "sunitinib", "cabozantinib", *CHEMOTHERAPY, "liver_transplant", "locoregional_debulking",
    "surgical_debulking", "primary_resection", "emr", "endoscopic_resection", "gastrectomy",
    "gastric_surgery", "other",
)  # fmt: skip
"""Option ids of every rule set, and "other"."""

HISTORY_FURTHER = ("date", "note")

_OUTCOME = choice(list(DiseaseCourse))
_TREATMENT = choice(TREATMENTS)

_STAGING: dict[str, Kind] = {
    "t": TEXT, "n": TEXT, "m": TEXT, "stage": TEXT, "edition": TEXT, "necrosis": FLAG,
    "cysts": FLAG, "nodes_positive": integer(0, 1000), "nodes_examined": integer(0, 1000),
    "closest_margin_mm": number(0, 500, "mm"), "note": TEXT,
}  # fmt: skip


def _read_treatment(value: object) -> PastTreatment:
    entry = read_mapping(value, TREATMENT.allowed)
    refuse_unknown(entry, ("treatment", "outcome", "post_ablation", *HISTORY_FURTHER))
    kinds = {"treatment": _TREATMENT, "outcome": _OUTCOME, "post_ablation": POST_ABLATION}
    found = read_keys(entry, kinds | dict.fromkeys(HISTORY_FURTHER, TEXT))
    if "treatment" not in found:
        raise WrongValueError(Code.CONFIG_TYPE, value, "an entry that names its treatment")
    control = found.get("post_ablation")
    if control is not None and found["treatment"] not in ABLATIONS:
        allowed = "left out: only an ablation has a control scan (" + ", ".join(ABLATIONS) + ")"
        raise WrongValueError(
            Code.CONFIG_RANGE, found["treatment"], allowed, where=".post_ablation"
        )
    return PastTreatment(
        treatment=found["treatment"],
        outcome=found.get("outcome"),
        post_ablation=control,
        further={key: found[key] for key in HISTORY_FURTHER if key in found},
    )


def _write_treatment(past: PastTreatment) -> dict[str, Any]:
    document: dict[str, Any] = {"treatment": past.treatment}
    if past.outcome is not None:
        document["outcome"] = str(past.outcome)
    if past.post_ablation is not None:
        document["post_ablation"] = POST_ABLATION.write(past.post_ablation)
    return document | dict(past.further)


TREATMENT = Kind(
    allowed="a mapping {treatment: OPTION_ID, outcome: stable, progressive or response}",
    read=_read_treatment,
    write=_write_treatment,
)


def _read_staging(value: object) -> dict[str, Any]:
    entry = read_mapping(value, STAGING.allowed)
    refuse_unknown(entry, tuple(_STAGING))
    return read_keys(entry, _STAGING)


STAGING = Kind(
    allowed="a mapping with " + ", ".join(_STAGING),
    read=_read_staging,
    write=dict,
)
