"""Does the treatment change when predicted outlines replace the true ones?"""

import json

import numpy as np
import pytest

from netseg.cli.main import main
from netseg.domain import LabelMap
from netseg.domain.allocation import Allocation, AllocationStatus, Option, OptionStatus, Route
from netseg.evaluation import Outlines
from netseg.evaluation.treatment import numbered, treatment_agreement, treatment_summary
from netseg.export import write_image
from tests.evaluation.shapes import ball, blocks, fine_grid


def by_count(seen):
    """A proposer that treats up to one lesion locally, and notes what it was shown."""

    def propose(case, lesions, liver):
        seen.append((case, lesions.values, liver))
        local = len(lesions.values) < 2
        status = OptionStatus.RECOMMENDED if local else OptionStatus.LIMITED
        return Allocation(
            rules_id="test",
            rules_sha256="0" * 64,
            status=AllocationStatus.DETERMINED,
            route=Route.LOCAL_CURATIVE if local else Route.SYSTEMIC,
            possible_routes=(Route.LOCAL_CURATIVE if local else Route.SYSTEMIC,),
            options=(Option(id="ablation", status=status, possible_statuses=(status,)),),
        )

    return propose


def test_a_missed_lesion_changes_the_route_at_a_fair_dice():
    truth, found = blocks((2, 12), (15, 17)), blocks((2, 12))
    told = treatment_agreement("a", Outlines(lesions=found), Outlines(lesions=truth), by_count([]))
    assert told.route_changed
    assert told.options_changed == (("ablation", "limited", "recommended"),)
    summary = treatment_summary([told])
    assert (summary.cases, summary.same_route, summary.same_options) == (1, 0, 0)


def test_a_poor_outline_of_every_lesion_changes_nothing():
    truth, found = blocks((2, 12)), blocks((2, 5))
    told = treatment_agreement("a", Outlines(lesions=found), Outlines(lesions=truth), by_count([]))
    assert not told.changed


def test_without_a_predicted_liver_the_true_one_stands_on_both_sides():
    seen = []
    truth = Outlines(lesions=blocks((2, 4)), regions={"liver": blocks((1, 19))})
    told = treatment_agreement("a", Outlines(lesions=blocks((2, 4))), truth, by_count(seen))
    assert told.same_liver
    assert seen[0][2] is seen[1][2] is truth.regions["liver"]


def test_lesions_are_numbered_by_volume():
    labels = numbered(blocks((2, 4), (8, 12)))
    assert labels.labels[9, 5, 5] == 1
    assert labels.labels[2, 5, 5] == 2
    assert numbered(blocks()).values == ()


@pytest.fixture
def livers(tmp_path):
    """A liver with a lesion in each lobe; the prediction misses the left one."""
    grid = fine_grid((3.0, 3.0, 3.0), 90.0)
    liver = ball(grid, (0.0, 0.0, 0.0), 75.0).inside.astype(np.uint8)
    right, left = ball(grid, (-45.0, 0, 0), 12.0).inside, ball(grid, (50.0, -10.0, 0), 9.0).inside
    for side, lesions in (("truth", right | left), ("pred", right)):
        (tmp_path / side).mkdir()
        write_image(tmp_path / side / "p.nii.gz", LabelMap(liver + lesions.astype(np.uint8), grid))
    return tmp_path


def test_the_whole_way_with_the_real_rules(livers, capsys):
    table = livers / "clinical.csv"
    table.write_text("case,ki67,extrahepatic_disease\np,2,false\n")
    words = ["--pred", livers / "pred", "--truth", livers / "truth", "--clinical", table]
    labels = ["--label", "lesion=2", "--label", "liver=1", "--format", "json"]
    assert main(["evaluate", *map(str, words), *labels]) == 0
    document = json.loads(capsys.readouterr().out)
    told = document["cases"][0]["treatment"]
    assert told["truth"] != told["predicted"], "one lobe against two is another pattern"
    assert document["summary"]["treatment"]["cases"] == 1
    assert document["about"]["rules"] == "seed-2020"


def test_facts_for_no_case_or_one_document_for_many_are_refused(livers, capsys):
    table = livers / "clinical.csv"
    table.write_text("case,ki67\nsomebody,2\n")
    words = ["evaluate", "--pred", str(livers / "pred"), "--truth", str(livers / "truth")]
    words += ["--label", "lesion=2", "--label", "liver=1", "--clinical"]
    assert main([*words, str(table)]) == 2
    assert "a row for none of the cases" in capsys.readouterr().err
    for side in ("pred", "truth"):
        (livers / side / "q.nii.gz").write_bytes((livers / side / "p.nii.gz").read_bytes())
    one = livers / "case.yaml"
    one.write_text("ki67: 2\n")
    assert main([*words, str(one)]) == 2
    assert "describes one case, there are 2" in capsys.readouterr().err
