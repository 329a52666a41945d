"""The findings document: from JSON types to `ClinicalFindings` and back, without guessing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.kinds import (
    FLAG,
    MAPPING,
    TEXT,
    Kind,
    WrongValueError,
    choice,
    did_you_mean,
    integer,
    number,
    sequence,
)
from netseg.allocate.nested import KI67, LESION, POST_ABLATION, POST_SURGERY, SSTR
from netseg.allocate.reading import read_document
from netseg.allocate.records import STAGING, TREATMENT
from netseg.domain import clinical as c
from netseg.domain.allocation import InputError
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.findings import SegmentSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SCHEMA_VERSION = "1"

IMAGING_IDS = (
    "triphasic_ct", "ct_chest_abdomen_pelvis", "mri_gd_dwi", "sstr_imaging", "ga68_sstr_pet",
    "sstr_spect", "f18_dopa_pet", "fdg_pet", "eus", "ceus", "colonoscopy", "virtual_endoscopy",
)  # fmt: skip

FIELDS: Mapping[str, Kind] = {
    "age": number(0, 130, "years"),
    "sex": choice(list(c.Sex)),
    "primary": choice(list(c.Primary)),
    "primary_part": TEXT,
    "histology_text": TEXT,
    "primary_resected": FLAG,
    "men1": FLAG,
    "intestinal_obstruction_risk": FLAG,
    "primary_diameter_mm": number(0, 500, "mm", low_open=True),
    "gastric_type": choice([1, 2, 3]),
    "differentiation": choice(list(c.Differentiation)),
    "ki67": KI67,
    "mitoses_per_2mm2": number(0, 1000),
    "grade_reported": choice(list(c.Grade)),
    "functioning": FLAG,
    "symptomatic": FLAG,
    "sstr": SSTR,
    "planar_sstr_scintigraphy": choice(list(c.ScanResult)),
    "ga68_pet": choice(list(c.ScanResult)),
    "fdg_pet": choice(list(c.ScanResult)),
    "sstr_at_diagnosis": choice(list(c.Receptor)),
    "extrahepatic_disease": FLAG,
    "extrahepatic_sites": sequence(TEXT),
    "lesions": sequence(LESION),
    "lesions_reported": sequence(LESION),
    "segment_source": choice(list(SegmentSource)),
    "lesion_count": integer(0, 10_000),
    "liver_pattern_reported": choice([p for p in c.LiverPattern if p is not c.LiverPattern.NONE]),
    "liver_burden_pct": number(0, 100, "%"),
    "arterial_enhancement": FLAG,
    "r0_a0_possible": FLAG,
    "fit_for_local_treatment": FLAG,
    "general_anaesthesia_possible": FLAG,
    "liver_surgery_possible": FLAG,
    "portal_vein_thrombosis": FLAG,
    "hepatic_failure": FLAG,
    "prior_whipple": FLAG,
    "prior_operations": sequence(TEXT),
    "hepatopulmonary_shunt_pct": number(0, 100, "%"),
    "achievable_cytoreduction_pct": number(0, 100, "%"),
    "other_drugs_available": FLAG,
    "imaging_done": sequence(choice(IMAGING_IDS)),
    "post_ablation": POST_ABLATION,
    "post_surgery": POST_SURGERY,
    "disease_course": choice(list(c.DiseaseCourse)),
    "tumour_markers": choice(list(c.MarkerCourse)),
    "history": sequence(TREATMENT),
    "staging": STAGING,
    "measured": MAPPING,
    "provenance": MAPPING,
}


class FindingsRejectedError(StudyRejectedError):
    """A findings document with values that mean nothing; all of them are named.

    Attributes:
        errors: One entry per wrong field.
    """

    def __init__(self, errors: Sequence[InputError], file: str | None = None) -> None:
        further = f" ({len(errors)} errors in all)" if len(errors) > 1 else ""
        super().__init__(
            Code(errors[0].code),
            errors[0].message + further,
            file=file,
            detail={"errors": [dataclasses.asdict(error) for error in errors]},
            hint="Correct the named fields; leave out or set to null what is unknown.",
        )
        self.errors = tuple(errors)


def parse_case(document: object, *, file: str | None = None) -> c.ClinicalFindings:
    """The findings in a document of JSON types.

    Args:
        document: What a YAML or JSON reader gave.
        file: File name for messages.

    Raises:
        FindingsRejectedError: For unknown names, wrong types and values out of range, all at once.
    """
    if not isinstance(document, dict):
        allowed = "a mapping of field names to values"
        wrong = WrongValueError(Code.CONFIG_TYPE, document, allowed)
        raise FindingsRejectedError((_error("document", wrong),), file)
    values: dict[str, Any] = {}
    errors: list[InputError] = []
    for name, value in cast("dict[object, object]", document).items():
        try:
            found = _read_field(str(name), value)
        except WrongValueError as wrong:
            errors.append(_error(str(name), wrong))
        else:
            if found is not None:
                values[str(name)] = found
    if errors:
        raise FindingsRejectedError(tuple(errors), file)
    return c.ClinicalFindings(**values)


def read_case(path: Path) -> c.ClinicalFindings:
    """The findings in a YAML or JSON file.

    Raises:
        FindingsRejectedError: As `parse_case`.
        StudyRejectedError: NO_INPUT, CONFIG_SYNTAX.
    """
    document = read_document(path)
    return parse_case({} if document is None else document, file=path.name)


def findings_document(findings: c.ClinicalFindings) -> dict[str, Any]:
    """The document that `parse_case` reads back to the same findings. Unknowns are left out."""
    document: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    for name, kind in FIELDS.items():
        value = getattr(findings, name)
        if value is not None:
            document[name] = kind.write(value)
    return document


def _read_field(name: str, value: object) -> Any:
    """The field's value in the domain, None where it is unknown."""
    if name == "schema_version":
        if value != SCHEMA_VERSION:
            raise WrongValueError(Code.CONFIG_RANGE, value, f'the text "{SCHEMA_VERSION}"')
        return None
    if name not in FIELDS:
        names = (*FIELDS, "schema_version")
        allowed = "a field of the findings document"
        advice = did_you_mean(name, names) or "the fields are " + ", ".join(names)
        raise WrongValueError(Code.CONFIG_UNKNOWN_KEY, name, allowed, advice=advice)
    return None if value is None else FIELDS[name].read(value)


def _error(name: str, wrong: WrongValueError) -> InputError:
    place = name + wrong.where
    advice = f" ({wrong.advice})" if wrong.advice else ""
    return InputError(
        code=str(wrong.code),
        field=place,
        met=wrong.met,
        allowed=wrong.allowed,
        message=f"{place}: {wrong.met} is not {wrong.allowed}{advice}.",
    )
