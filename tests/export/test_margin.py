"""margin.json with an error model, a registration and details follows its schema."""

import json

import pytest
from jsonschema import Draft202012Validator

from netseg.domain import (
    CohortFinding,
    Evidence,
    LesionMargin,
    MarginReport,
    Spot,
    SurfaceMap,
    Verdict,
)
from netseg.export import margin_document, schema, to_json

FULL = LesionMargin(
    id=1,
    smallest_margin_mm=4.2,
    smallest_margin_to_zone_mm=3.9,
    interval_mm=(3.1, 5.4),
    p1_margin_mm=4.3,
    p5_margin_mm=4.6,
    median_margin_mm=7.0,
    p_a0=0.31,
    expected_margin_mm=4.4,
    p_margin={5.0: 0.31, 3.0: 0.97},
    shell_coverage={1.0: 1.0, 6.0: 0.91},
    undertreated_ml={10.0: 7.5, 5.0: 0.4},
    thinnest=Spot(at_mm=(1.0, -2.0, 3.0), direction="cranial", margin_mm=4.2),
    undertreated_patch=Spot(
        at_mm=(1.0, -2.0, 3.0), direction="cranial", margin_mm=4.2, area_cm2=1.5
    ),
    surface_map=SurfaceMap(
        longitude_deg=(-90.0, 90.0), latitude_deg=(0.0,), margin_mm=((4.2, 7.0),)
    ),
    contraction_margin_mm={0.0: 4.2, 0.12: 5.9},
    heat_sink_mm=3.0,
    published=(CohortFinding(finding="None progressed.", cohort="Ten.", source="Somebody 2020"),),
    verdict=Verdict.A0_UNCERTAIN,
    why=("Measured.",),
)


def written(*lesions, registration=None):
    report = MarginReport(
        cutoff_mm=5.0,
        evidence=Evidence.CONTROL_SCAN,
        observed=True,
        lesions=lesions,
        registration=registration,
    )
    return json.loads(to_json(margin_document(report)))


def is_valid(document):
    return Draft202012Validator(schema("margin")).is_valid(document)


def test_everything_a_margin_knows_is_written():
    document = written(FULL)
    assert is_valid(document)
    lesion = document["lesions"][0]
    assert lesion["interval_mm"] == [3.1, 5.4]
    assert lesion["p_margin"] == {"cutoff_mm": [3.0, 5.0], "probability": [0.97, 0.31]}
    assert lesion["undertreated"] == {"margin_mm": [5.0, 10.0], "volume_ml": [0.4, 7.5]}
    assert lesion["thinnest"]["area_cm2"] is None
    assert lesion["surface_map"]["margin_mm"] == [[4.2, 7.0]]
    assert lesion["published"][0]["source"] == "Somebody 2020"


def test_a_margin_that_is_not_assessable_has_no_numbers():
    withheld = LesionMargin(
        id=1,
        smallest_margin_mm=None,
        smallest_margin_to_zone_mm=None,
        verdict=Verdict.NOT_ASSESSABLE,
        why=("Not assessable: …",),
    )
    registration = {"method": "rigid", "error_mm": None, "gates": {"liver": False, "vessels": None}}
    document = written(withheld, registration=registration)
    assert is_valid(document)
    document["lesions"][0]["smallest_margin_mm"] = 6.0
    assert not is_valid(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("p_margin", {"cutoff_mm": [5.0], "probability": [1.2]}),
        ("thinnest", {"at_mm": [1.0, 2.0], "direction": "left", "margin_mm": 1.0}),
        ("undertreated", {"margin_mm": [5.0]}),
        ("published", [{"finding": "None progressed."}]),
    ],
)
def test_what_is_half_said_does_not_pass_the_schema(key, value):
    document = written(FULL)
    document["lesions"][0][key] = value
    assert not is_valid(document)
