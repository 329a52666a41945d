"""A zone by another damage model than that of the calibration says so, with the difference."""

import json
from pathlib import Path

import pytest

from netseg.domain import AblationModality
from netseg.simulate import parse_plan
from netseg.simulate.calibrated import BY, PUBLISHED_SHARES, TISSUES, calibration_note
from netseg.simulate.plan_run import simulate_plan

ZONE_SIZES = Path(__file__).parents[2] / "experiments" / "zone_sizes"
VOLUMES = {"arrhenius": 20.0, "cem43": 15.0, "oneill": 9.0}


def said(
    volumes=None, *, leading="arrhenius", tissue="liver_in_vivo", modality=AblationModality.RFA
):
    return calibration_note(volumes or VOLUMES, leading=leading, tissue=tissue, modality=modality)


def test_the_difference_of_this_run_is_said():
    note = said()
    assert "15.0 ml here (-25 %)" in note
    assert "calibrated on published zones by cem43" in note


@pytest.mark.parametrize(
    "other",
    [
        {"leading": "cem43"},
        {"tissue": "given by numbers"},
        {"modality": AblationModality.CRYO},
        {"modality": AblationModality.IRE},
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_say(other):
    assert said(**other) is None


def test_without_the_calibrated_model_the_published_rows_are_quoted():
    note = said({"arrhenius": 20.0})
    assert "11 to 30 % less volume" in note
    assert said({"arrhenius": 0.0, "cem43": 0.0}) == note  # no zone has no share


def test_the_quoted_shares_are_those_of_the_recorded_rows():
    """Each row's own pair of volumes; the script still compares by the model named here."""
    rows = json.loads((ZONE_SIZES / "figures.json").read_text("utf-8"))
    zones = [row["zones"] for row in rows]
    shares = [1 - z["cem43"]["volume_ml"] / z["arrhenius"]["volume_ml"] for z in zones]
    assert (min(shares), max(shares)) == pytest.approx(PUBLISHED_SHARES, abs=0.005)
    assert f'ZONE = "{BY}"' in (ZONE_SIZES / "run.py").read_text("utf-8")
    assert {row["setting"].split()[-3] for row in rows} == set(TISSUES)


@pytest.mark.parametrize("first", ["arrhenius", "cem43"])
def test_the_document_of_a_run_says_it(first):
    """zone.json is where a reader finds the zone's volume, hence the difference."""
    both = [first, *({"arrhenius", "cem43"} - {first})]
    plan = parse_plan(
        {
            "grid": {"shape": [16, 16, 20], "spacing_mm": [3, 3, 3]},
            "probes": [
                {
                    "id": "A",
                    "device": "mwa_generic_14g",
                    "tip_mm": [0, 0, -15],
                    "direction": [0, 0, 1],
                }
            ],
            "protocol": {"modality": "mwa", "duration_s": 60, "power_w": 60},
            "cooling_s": 0,
            "damage": both,
        }
    )
    document = simulate_plan(plan, device="cpu").document
    if first == "cem43":
        assert "calibration" not in document
    else:
        assert f"{document['volumes_ml']['cem43']:.1f} ml here" in document["calibration"]
