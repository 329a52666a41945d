"""Every document follows the schema that is shipped for it."""

import json

import pytest
from jsonschema import Draft202012Validator

from netseg.domain import AblationPlan, Evidence, MarginReport
from netseg.export import (
    RunRecord,
    batch_status_document,
    error_document,
    margin_document,
    plan_document,
    run_document,
    schema,
    schema_names,
    state_of,
    status_document,
    to_json,
    zone_document,
)
from tests.export.made_results import (
    a_notice,
    grid_of,
    margin_of,
    plan_of,
    result_of,
    zone_of,
)

CONTRACT_MARGIN_KEYS = {
    "id", "smallest_margin_mm", "interval_mm", "p5_margin_mm", "median_margin_mm",
    "smallest_margin_to_zone_mm", "surface_share", "covered_fraction", "residual_volume_ml",
    "p_a0", "verdict", "why",
}  # fmt: skip
CONTRACT_ZONE_KEYS = {
    "schema_version", "volume_ml", "volume_band_ml", "diameters_mm", "sphericity",
    "max_temperature_c", "energy_j", "trace",
}  # fmt: skip


def check(name: str, document: dict) -> dict:
    """Validate a document as it is written, and hand it back."""
    written = json.loads(to_json(document))
    Draft202012Validator(schema(name)).validate(written)
    return written


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_a_schema(name):
    Draft202012Validator.check_schema(schema(name))


def test_an_unknown_schema_is_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"no schema 'margins'.*margin"):
        schema("margins")


def test_margin():
    document = check("margin", margin_document(margin_of()))
    assert set(document["lesions"][0]) >= CONTRACT_MARGIN_KEYS
    assert document["observed"] is False
    assert document["lesions"][0]["histogram"] == {
        "bin_from_mm": [5.0, 6.0],
        "surface_share": [0.2, 0.8],
    }


def test_margin_without_lesions():
    report = MarginReport(cutoff_mm=5.0, evidence=Evidence.CONTROL_SCAN, observed=True, lesions=())
    assert check("margin", margin_document(report))["smallest_margin_mm"] is None


def test_a_simulated_margin_that_claims_to_be_observed_does_not_pass_the_schema():
    document = {**margin_document(margin_of()), "observed": True}
    assert not Draft202012Validator(schema("margin")).is_valid(document)


def test_zone():
    document = check("zone", zone_document({1: zone_of(1), 2: zone_of(2)}))
    assert set(document) >= CONTRACT_ZONE_KEYS
    assert set(check("zone", zone_document(zone_of(1)))) >= CONTRACT_ZONE_KEYS


def test_plan():
    document = check("plan", plan_document(plan_of()))
    needle = document["ablations"][0]["probes"][0]
    assert needle["length_mm"] == 60.0
    assert needle["direction"] == [-1.0, 0.0, 0.0], "from the tip towards the handle"
    assert document["unplanned"] == [
        {"lesion_id": 2, "why": "Every path crosses bone.", "fallen": {"bone": 812}}
    ]
    check("plan", plan_document(AblationPlan(ablations=())))


def test_status_of_a_study():
    document = check("status", status_document("warn", (), (a_notice(),), grid_of(), 0.000551))
    assert document["geometry"]["spacing_mm"] == [4.0, 4.0, 5.0]
    assert document["geometry"]["affine_lps"][0] == [4.0, 0.0, 0.0, -118.0]
    assert document["suv_factor"] == 0.000551
    check("status", status_document("rejected", (a_notice(),), (), None, None))


@pytest.mark.parametrize(("state", "errors"), [("ok", 1), ("warn", 1), ("rejected", 0)])
def test_a_state_that_contradicts_its_errors_is_refused(state, errors):
    with pytest.raises(ValueError, match="errors mean rejected"):
        status_document(state, (a_notice(),) * errors, ())


def test_the_state_follows_from_errors_and_warnings():
    assert state_of((a_notice(),), ()) == "rejected"
    assert state_of((), (a_notice(),)) == "warn"
    assert state_of((), ()) == "ok"


@pytest.mark.parametrize(
    ("studies", "state"),
    [
        ({"a": "ok", "b": "ok"}, "ok"),
        ({"a": "ok", "b": "warn"}, "warn"),
        ({"a": "ok", "b": "rejected"}, "warn"),
        ({"a": "rejected", "b": "rejected"}, "rejected"),
        ({}, "ok"),
    ],
)
def test_a_batch_is_rejected_only_when_every_study_is(studies, state):
    assert check("batch_status", batch_status_document(studies))["state"] == state


def test_error_line():
    assert check("error", error_document("p01", a_notice()))["case"] == "p01"


def test_run_lists_every_file_with_its_checksum(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"abc")
    (tmp_path / "run.json").write_bytes(b"{}")
    record = RunRecord(
        started_at="2026-01-01T00:00:00+00:00",
        station_wall_s={"study": 1.5, "segment": 2.0},
        device="cpu",
        provenance=result_of().provenance,
    )
    document = check("run", run_document(record, tmp_path))
    assert document["files"] == [
        {
            "file": "a.csv",
            "bytes": 3,
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }
    ]
    assert document["wall_s"] == 3.5
    assert "numpy" in document["packages"]
