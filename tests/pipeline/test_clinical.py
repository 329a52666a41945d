"""What the images say to the rules: only where nobody stated it, and only what they can tell."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from netseg.allocate import combine, findings_document, parse_case
from netseg.cli.main import main
from netseg.domain import Findings, Lesion, ModelProvenance, Phase, PointMm
from netseg.domain.clinical import ClinicalFindings, Receptor, ScanResult
from netseg.findings import measure
from netseg.phantom import LesionSpec, Protocol, make_phantom, write_nifti_study
from netseg.pipeline.clinical import receptor_status, told_by_images
from tests.findings.bodies import ct, ellipsoid, grid_of, pet, segmentation_of, study_of

GRID = grid_of((40, 40, 36), (4.0, 4.0, 4.0), (-78.0, -78.0, -70.0))
LIVER = ellipsoid(GRID, np.zeros(3), (70.0, 70.0, 64.0))
FIRST = ellipsoid(GRID, np.array([20.0, 0.0, 0.0]), (14.0,) * 3)
SECOND = ellipsoid(GRID, np.array([-25.0, 0.0, 0.0]), (14.0,) * 3)
LESIONS = FIRST + 2 * SECOND.astype(np.uint8)
NOISE = np.random.default_rng(1).normal(0, 0.2, GRID.shape)


def told(tracer, first, second, stated=None, **more) -> ClinicalFindings:
    values = np.where(LIVER, 6.0, 1.0)
    values = np.where(FIRST, first, np.where(SECOND, second, values)) + NOISE
    study = study_of(pet(values, GRID, tracer, **more))
    segmentation = segmentation_of(LESIONS, GRID, LIVER)
    findings = measure(study, segmentation)
    return told_by_images(combine(stated, findings, None), study, segmentation, findings)


@pytest.mark.parametrize(
    ("spans", "status"),
    [
        ([], None),
        ([(3, 4), (3, 4)], 3),  # at least 3 everywhere
        ([(4, 4), (3, 3)], 3),
        ([(4, 4)], 4),
        ([(4, 4), (2, 2)], Receptor.POSITIVE),  # high, but not everywhere
        ([(3, 4), (0, 2)], Receptor.POSITIVE),
        ([(2, 2), (0, 2)], 2),  # the highest is 2, whatever the other is
        ([(0, 2)], None),  # none, very low or like the liver
    ],
)
def test_a_patient_s_receptors_from_those_of_the_lesions(spans, status):
    assert receptor_status(spans) == status


def test_a_receptor_pet_fills_the_score_and_says_what_it_saw():
    found = told("ga68_dotatate", 20.0, 15.0)
    assert (found.sstr, found.ga68_pet, found.fdg_pet) == (3, ScanResult.POSITIVE, None)
    seen = found.measured["receptors"]
    assert seen["krenning"] == {"1": [3, 4], "2": [3, 4]}
    assert seen["tracers"] == ["ga68_dotatate"]


def test_lesions_that_differ_leave_high_expression_open():
    assert told("ga68_dotatate", 20.0, 6.0).sstr is Receptor.POSITIVE


def test_a_clinician_s_word_stands_and_the_difference_is_named():
    found = told("ga68_dotatate", 20.0, 15.0, ClinicalFindings(sstr=Receptor.NEGATIVE))
    assert found.sstr is Receptor.NEGATIVE
    assert found.measured["receptors"]["differs"] == "stated negative, the images show 3"
    same = told("ga68_dotatate", 20.0, 15.0, ClinicalFindings(sstr=Receptor.POSITIVE))
    assert "differs" not in same.measured["receptors"]


@pytest.mark.parametrize("tracer", [None, "f18_fdg", "f18_psma"])
def test_no_other_tracer_says_anything_of_receptors(tracer):
    found = told(tracer, 20.0, 15.0)
    assert found.sstr is None
    assert found.ga68_pet is None
    assert "receptors" not in found.measured


@pytest.mark.parametrize("tracer", ["ga68_dotatate", "f18_fdg"])
def test_unchecked_outlines_state_no_fact(tracer):
    """A network took bowel for a lesion once: what it saw is kept, and states nothing."""
    values = np.where(FIRST, 20.0, np.where(LIVER, 6.0, 1.0)) + NOISE
    study = study_of(pet(values, GRID, tracer))
    given = segmentation_of(LESIONS, GRID, LIVER)
    network = replace(given, provenance=ModelProvenance(backend="builtin", name="network"))
    found = told_by_images(ClinicalFindings(), study, network, measure(study, network))
    assert (found.sstr, found.ga68_pet, found.fdg_pet) == (None, None, None)
    assert "nobody checked" in found.measured["not_stated"]["because"]
    assert "positive" in found.measured["not_stated"]["facts"].values()


def test_lutetium_is_no_gallium():
    found = told("lu177_dotatate", 20.0, 15.0)
    assert (found.sstr, found.ga68_pet) == (3, None)


def test_glucose_is_a_fact_of_its_own():
    assert told("f18_fdg", 20.0, 6.0).fdg_pet is ScanResult.POSITIVE
    assert told("f18_fdg", 6.0, 6.0).fdg_pet is ScanResult.NEGATIVE
    assert told(None, 20.0, 20.0).fdg_pet is None


def test_one_lesion_too_small_to_tell_leaves_glucose_open():
    labels = FIRST.astype(np.uint8)
    labels[8:10, 20, 18] = 2
    study = study_of(pet(np.where(LIVER, 6.0, 1.0) + NOISE, GRID, "f18_fdg"))
    segmentation = segmentation_of(labels, GRID, LIVER)
    findings = measure(study, segmentation)
    found = told_by_images(ClinicalFindings(), study, segmentation, findings)
    assert found.fdg_pet is None


def test_a_pet_of_another_frame_says_nothing():
    elsewhere = grid_of(GRID.shape, (4.0, 4.0, 4.0), (-78.0, -78.0, -70.0), frame_uid="9.9")
    values = np.where(FIRST, 30.0, 6.0)
    study = study_of(ct(50, GRID, Phase.PORTAL_VENOUS), pet(values, elsewhere, "ga68_dotatate"))
    segmentation = segmentation_of(LESIONS, GRID, LIVER)
    findings = measure(study, segmentation)
    found = told_by_images(ClinicalFindings(), study, segmentation, findings)
    assert (found.sstr, found.ga68_pet) == (None, None)


def test_every_measure_stands_in_the_document_with_its_region():
    document = findings_document(told("ga68_dotatate", 20.0, 15.0))
    first = document["measured"]["lesions"][0]
    named = {name: value for r in first["regions"] for name, value in r["measures"].items()}
    assert document["lesions"][0]["measures"] == pytest.approx(named, rel=1e-2)
    assert all(r["voxels"] > 0 and r["volume_ml"] > 0 for r in first["regions"])
    assert "no portal venous CT" in first["unknown"]["necrosis_share"]


def test_the_document_reads_back_to_the_same_findings():
    found = told("ga68_dotatate", 20.0, 15.0)
    document = json.loads(json.dumps(findings_document(found)))
    assert findings_document(parse_case(document)) == document


def test_probabilities_of_the_segmenter_go_along():
    place = PointMm(0.0, 0.0, 0.0)
    lesion = Lesion(id=1, volume_ml=1.0, longest_axial_diameter_mm=12.0, longest_diameter_mm=13.0,
                    centroid_mm=place, segment_probability=0.7, lobe_probability=0.95)  # fmt: skip
    findings = Findings(lesions=(lesion,), liver_volume_ml=None, lesion_volume_ml=1.0)
    study = study_of(ct(0, GRID, None))
    found = told_by_images(
        ClinicalFindings(), study, segmentation_of(LESIONS, GRID, LIVER), findings
    )
    (entry,) = found.measured["lesions"]
    assert (entry["segment_probability"], entry["lobe_probability"]) == (0.7, 0.95)


@pytest.mark.slow
def test_netseg_segment_writes_findings_that_netseg_allocate_takes(tmp_path, capsys):
    """The way of a user: masks and a spleen given, a document that fits its schema, a proposal."""
    from netseg.allocate import document as module

    ball = LesionSpec(segment="VI", diameter_mm=30.0, elongation=1.0, irregularity=0.0, suv=30.0)
    phantom = make_phantom(3, spacing_mm=(3.0, 3.0, 4.0), lesions=[ball])
    protocol = Protocol(ct_phases=(Phase.LATE_ARTERIAL, Phase.PORTAL_VENOUS))
    written = write_nifti_study(phantom, tmp_path / "in", protocol=protocol, with_masks=True)
    out = tmp_path / "out"
    words = ["segment", "-i", str(written.study), "-o", str(out), "--backend", "masks", "-q"]
    assert main(words) == 0
    (path,) = out.glob("*/findings.json")
    document = json.loads(path.read_text())
    folder = type(path)(module.__file__).with_name("schemas")
    jsonschema.validate(document, json.loads((folder / "findings.schema.json").read_text()))
    assert document["sstr"] == 3
    capsys.readouterr()
    assert main(["allocate", "--findings", str(path), "--format", "json", "-q"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "sstr" not in answer["must_ask"]
    path.write_text(json.dumps(document | {"sstr": 7}))
    assert main(["allocate", "--findings", str(path), "--format", "json", "-q"]) == 4


def test_nothing_measured_leaves_every_gap_open():
    study = study_of(ct(0, GRID, None))
    segmentation = segmentation_of(0 * LESIONS, GRID, LIVER)
    findings = measure(study, segmentation)
    found = told_by_images(ClinicalFindings(), study, segmentation, findings)
    assert replace(found, measured=None) == ClinicalFindings()
    assert found.measured["lesions"] == []
