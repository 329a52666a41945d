"""The findings document: what is meant is read, what means nothing is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from netseg.allocate import FindingsRejectedError, findings_document, parse_case, read_case
from netseg.allocate.document import FIELDS
from netseg.domain.clinical import ClinicalFindings, Ki67, Primary, Receptor
from netseg.domain.errors import StudyRejectedError

SCHEMAS = Path(__file__).resolve().parents[2] / "netseg" / "allocate" / "schemas"
SCHEMA = json.loads((SCHEMAS / "findings.schema.json").read_text(encoding="utf-8"))

EVERY_FIELD: dict[str, Any] = {
    "schema_version": "1", "age": 61.5, "sex": "M", "primary": "small_intestine",
    "primary_part": "ileum", "histology_text": "NET", "primary_resected": False, "men1": False,
    "intestinal_obstruction_risk": True, "primary_diameter_mm": 12, "gastric_type": 2,
    "differentiation": "well", "ki67": [1, 3], "mitoses_per_2mm2": 1.5, "grade_reported": "G1",
    "functioning": True, "symptomatic": False, "sstr": 4, "planar_sstr_scintigraphy": "not_done",
    "ga68_pet": "positive", "fdg_pet": "negative", "sstr_at_diagnosis": "positive",
    "extrahepatic_disease": False, "extrahepatic_sites": [],
    "lesions": [
        {"segment": "IVb", "diameter_cm": 2.5, "lobe": "left", "id": 1, "volume_ml": 8.1,
         "confidence": 0.9, "longest_diameter_mm": 27.0, "suv_max": 12.0,
         "mean_hu_portal_venous": 88.0, "arterial_enhancement_hu": 41.0, "centroid_mm": [1.0, 2.0, 3.0]},
        {"lobe": "right"},
    ],
    "lesions_reported": [], "segment_source": "approximate_partition", "lesion_count": 2,
    "liver_pattern_reported": "simple", "liver_burden_pct": 0.6, "arterial_enhancement": True,
    "r0_a0_possible": True, "fit_for_local_treatment": True,
    "general_anaesthesia_possible": True, "liver_surgery_possible": True,
    "portal_vein_thrombosis": False, "hepatic_failure": False, "prior_whipple": False,
    "prior_operations": ["appendectomy"], "hepatopulmonary_shunt_pct": 10,
    "achievable_cytoreduction_pct": 70, "other_drugs_available": True,
    "imaging_done": ["triphasic_ct"],
    "post_ablation": {"min_margin_mm": -1.5, "registration_error_mm": 1.2,
                      "evidence": "control_scan"},
    "post_surgery": {"margin": "R0", "procedure": "wedge resection"},
    "disease_course": "stable", "tumour_markers": "rising",
    "history": [
        {"treatment": "ssa", "outcome": "stable", "date": "2025"},
        {"treatment": "srfa", "post_ablation": {"min_margin_mm": 6, "registration_error_mm": 0.5,
                                                "evidence": "control_scan"}},
    ],
    "staging": {"t": "T2", "n": "N1", "m": "M1", "necrosis": False, "nodes_positive": 2,
                "nodes_examined": 12, "edition": "8"},
    "measured": {"anything": [1]}, "provenance": {"netseg_version": "0.1"},
}  # fmt: skip


def test_every_field_of_the_contract_is_read_and_written_back_unchanged():
    assert set(EVERY_FIELD) - {"schema_version"} == set(FIELDS)
    assert findings_document(parse_case(EVERY_FIELD)) == EVERY_FIELD
    jsonschema.validate(EVERY_FIELD, SCHEMA)


def test_left_out_and_null_are_both_unknown():
    assert parse_case({}) == ClinicalFindings()
    assert parse_case(dict.fromkeys(FIELDS)) == ClinicalFindings()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (2, Ki67(low_pct=2, high_pct=2)),
        ([1, 3], Ki67(low_pct=1, high_pct=3)),
        ({"below": 2}, Ki67(low_pct=0, high_pct=2, high_included=False)),
        ({"above": 20}, Ki67(low_pct=20, high_pct=100, low_included=False)),
    ],
)
def test_ki67_is_as_sharp_as_it_was_written(written: Any, meant: Ki67):
    findings = parse_case({"ki67": written})
    assert findings.ki67 == meant
    assert findings_document(findings)["ki67"] == written


@pytest.mark.parametrize(("written", "meant"), [("positive", Receptor.POSITIVE), (3, 3), (0, 0)])
def test_receptors_are_a_word_or_a_score(written: Any, meant: Any):
    assert parse_case({"sstr": written}).sstr == meant


def test_the_primary_that_was_searched_and_not_found_is_not_the_one_nobody_stated():
    assert parse_case({"primary": "unknown"}).primary is Primary.UNKNOWN
    assert parse_case({"primary": None}).primary is None


REFUSED = [
    ({"ki67": "5"}, "ki67: '5' is not a percentage .* without quotes"),
    ({"ki67": 120}, "ki67: 120 is not a percentage"),
    ({"ki67": -1}, "ki67: -1 is not"),
    ({"ki67": float("nan")}, "ki67: nan is not"),
    ({"ki67": float("inf")}, "ki67: inf is not"),
    ({"ki67": True}, "ki67: True is not"),
    ({"ki67": "2,5"}, r"write the decimal point as '\.', not ','"),
    ({"ki67": "high"}, "ki67: 'high' is not a percentage"),
    ({"ki67": [3, 1]}, r"ki67: \[3, 1\] is not"),
    ({"ki67": [1]}, "ki67: .* is not"),
    ({"ki67": {"below": 0}}, "ki67: .*below.* is not"),
    ({"ki67": {"above": 100}}, "ki67: .*above.* is not"),
    ({"ki67": {"under": 2}}, "ki67: .*under.* is not"),
    ({"primary": "small intestine"}, "did you mean small_intestine"),
    ({"primary": "ileum"}, "one of stomach, duodenum, small_intestine"),
    ({"primary": "small bowel"}, "did you mean small_intestine"),
    ({"primary": "Jejunum"}, "did you mean small_intestine"),
    ({"lesions": [{"segment": "IX"}]}, r"IVb, V, VI, VII, VIII[^(]*$"),
    ({"primary": "Pancreas"}, "did you mean pancreas"),
    ({"primry": "lung"}, r"primry: .*did you mean primary\?"),
    ({"colour": "red"}, "is not a field of the findings document .*the fields are age"),
    ({"functioning": "no"}, r"functioning: 'no' is not true or false .*\(write false\)"),
    ({"functioning": "yes"}, r"\(write true\)"),
    ({"functioning": 1}, "functioning: 1 is not true or false"),
    ({"functioning": 0}, "functioning: 0 is not true or false"),
    ({"age": True}, "age: True is not a number from 0 to 130 years"),
    ({"age": "61"}, "age: '61' is not"),
    ({"sex": "female"}, "sex: 'female' is not one of F, M"),
    ({"gastric_type": 4}, "gastric_type: 4 is not one of 1, 2, 3"),
    ({"gastric_type": True}, "gastric_type: True is not one of 1, 2, 3"),
    ({"differentiation": "moderate"}, "one of well, poor"),
    ({"sstr": 5}, "sstr: 5 is not positive, negative, or a Krenning score"),
    ({"sstr": 2.5}, "sstr: 2.5 is not"),
    ({"sstr": "high"}, "sstr: 'high' is not"),
    ({"sstr": True}, "sstr: True is not"),
    ({"lesion_count": 2.5}, "lesion_count: 2.5 is not a whole number"),
    ({"lesion_count": -1}, "lesion_count: -1 is not"),
    ({"liver_pattern_reported": "none"}, "one of simple, complex, diffuse"),
    ({"liver_burden_pct": 101}, "from 0 to 100 %"),
    ({"lesions": {"segment": "VI"}}, "lesions: .* is not a list"),
    ({"lesions": [{"segment": "IX"}]}, r"lesions\[1\].segment: 'IX' is not one of I, II"),
    ({"lesions": [{}, {"segment": 6}]}, r"lesions\[2\].segment: 6 is not"),
    ({"lesions": [{"diameter_cm": 0}]}, r"lesions\[1\].diameter_cm: 0 is not a number above 0"),
    ({"lesions": [{"diameter_mm": 9}]}, r"lesions\[1\]: 'diameter_mm' .*did you mean diameter_cm"),
    ({"lesions": [{"segment": "VI", "lobe": "left"}]}, r"\.lobe: 'left' is not right, the lobe of"),
    ({"extrahepatic_sites": "bone"}, "is not a list"),
    ({"extrahepatic_sites": [1]}, r"extrahepatic_sites\[1\]: 1 is not text"),
    ({"imaging_done": ["ct"]}, r"imaging_done\[1\]: 'ct' is not one of triphasic_ct"),
    ({"post_ablation": {"min_margin_mm": 6, "evidence": "simulated"}}, "simulated margin predicts"),
    ({"post_ablation": {"evidence": "given_masks"}}, "is not control_scan"),
    ({"post_ablation": {"margin": 5}}, "did you mean min_margin_mm"),
    ({"post_ablation": {"registration_error_mm": -1}}, "registration_error_mm: -1 is not"),
    ({"post_surgery": {"margin": "R3"}}, "one of R0, R1, R2"),
    ({"disease_course": "stabil"}, "did you mean stable"),
    ({"schema_version": 1}, 'schema_version: 1 is not the text "1"'),
    ({"measured": [1]}, "measured: .* is not a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), REFUSED, ids=lambda v: str(v)[:50])
def test_what_means_nothing_is_refused_with_field_value_and_what_is_allowed(
    document: dict[str, Any], message: str
):
    with pytest.raises(FindingsRejectedError, match=message) as caught:
        parse_case(document)
    error = caught.value.errors[0]
    assert error.field
    assert error.allowed
    assert caught.value.exit_code == 4


NOT_OF_THE_SCHEMA = [d for d, _ in REFUSED if "nan" not in str(d) and "inf'" not in str(d)]


def test_the_schema_refuses_what_the_reader_refuses():
    """Two relations between fields are beyond a schema: reversed intervals, lobe of a segment."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    beyond = [{"ki67": [3, 1]}, {"lesions": [{"segment": "VI", "lobe": "left"}]},
              {"ki67": float("inf")}]  # fmt: skip
    for document in NOT_OF_THE_SCHEMA:
        if document not in beyond and document != {"gastric_type": True}:
            assert not validator.is_valid(document), document


def test_all_mistakes_of_a_document_are_named_at_once():
    with pytest.raises(FindingsRejectedError) as caught:
        parse_case({"ki67": 120, "primry": "lung", "functioning": "no"})
    assert [error.field for error in caught.value.errors] == ["ki67", "primry", "functioning"]


@pytest.mark.parametrize("document", [[], "ki67", 5])
def test_a_document_that_is_no_mapping_is_refused(document: object):
    with pytest.raises(FindingsRejectedError, match="a mapping of field names"):
        parse_case(document)


def test_a_diameter_in_millimetres_as_the_station_writes_it_is_the_diameter():
    found = parse_case({"lesions": [{"segment": "VI", "longest_axial_diameter_mm": 21.0}]}).lesions
    assert found is not None
    assert found[0].diameter_cm == pytest.approx(2.1)


YAML_TRAPS = [
    ("functioning: no", "functioning: 'no' is not true or false"),
    ("functioning: off", "functioning: 'off' is not"),
    ("ki67: 2,5", "write the decimal point"),
    ("ki67: 1_0", "ki67: '1_0' is not"),
    ("age: 1:30", "age: '1:30' is not"),
    ("ki67: .nan", "ki67: nan is not"),
    ("ki67: .inf", "ki67: inf is not"),
    ("ki67: 0x14", "ki67: '0x14' is not"),
    ("primary_part: 2026-01-01\nki67: 120", "ki67: 120"),
    ("ki67: 1\nki67: 30", "'ki67' stands twice"),
    ("lesions: &a []\nlesions_reported: *a", "aliases"),
    ("ki67: !!python/object:x 1", "not well-formed"),
    ("ki67: [1, 3", "not well-formed"),
    ("5: 1", "not text"),
    ("measured: " + "[" * 50 + "]" * 50, "nested deeper than 40 levels"),
    ("measured: {a: 1, a: 2}", "'a' stands twice"),
]


@pytest.mark.parametrize(("text", "message"), YAML_TRAPS, ids=[t[:30] for t, _ in YAML_TRAPS])
def test_yaml_turns_nothing_into_something_else(tmp_path: Path, text: str, message: str):
    file = tmp_path / "case.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StudyRejectedError, match=message):
        read_case(file)


def test_plain_yaml_and_json_say_the_same(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("ki67: 1.5\nfunctioning: false\nsstr: ~\n", encoding="utf-8")
    (tmp_path / "a.json").write_text('{"ki67": 1.5, "functioning": false}', encoding="utf-8")
    assert read_case(tmp_path / "a.yaml") == read_case(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"ki67": NaN}', "ki67: nan is not"),
        ('{"ki67": 1, "ki67": 30}', "stands twice"),
        ('{"ki67": 1', "not well-formed"),
    ],
)
def test_json_traps(tmp_path: Path, text: str, message: str):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(StudyRejectedError, match=message):
        read_case(tmp_path / "a.json")


def test_a_file_that_is_not_there_or_not_utf8_is_named(tmp_path: Path):
    with pytest.raises(StudyRejectedError, match=r"NO_INPUT: nowhere\.yaml"):
        read_case(tmp_path / "nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes("primary_part: Dünndarm".encode("latin-1"))
    with pytest.raises(StudyRejectedError, match="not UTF-8"):
        read_case(tmp_path / "latin.yaml")


def test_an_empty_file_is_a_case_of_which_nothing_is_known(tmp_path: Path):
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    assert read_case(tmp_path / "empty.yaml") == ClinicalFindings()
