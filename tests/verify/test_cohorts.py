"""What cohorts found: only read sources, only beside an observed margin, never a prediction."""

import pytest

from netseg.domain.ablation import Evidence
from netseg.verify.cohorts import found_at, note, rows
from tests.geometry.shapes import block
from tests.verify.checking import A0, zone_of


def test_every_row_names_its_source_and_how_much_of_it_was_read():
    assert rows()
    for row in rows():
        assert row.read in {"abstract", "article"}
        assert any(mark in row.source for mark in ("PMC", "Eur Radiol"))
        assert row.from_mm is None or row.to_mm is None or row.from_mm < row.to_mm


@pytest.mark.parametrize(
    ("margin_mm", "share"), [(0.0, "26 %"), (3.0, "46 %"), (7.0, "74 %"), (12.0, "80 %")]
)
def test_one_row_of_the_two_dimensional_era_speaks_of_each_margin(margin_mm, share):
    wang = [f for f in found_at(margin_mm) if "free of local progression" in f.finding]
    assert [f.finding[:4] for f in wang] == [share]


def test_no_progression_at_five_millimetres_is_said_from_five_on():
    assert any("5 mm and more" in f.finding for f in found_at(5.0))
    assert not any("5 mm and more" in f.finding for f in found_at(4.9))


def test_the_table_says_that_it_predicts_nothing():
    assert "Not a prediction" in note()
    assert "neuroendocrine" in note()


def test_a_plan_is_not_compared_with_cohorts():
    zone = zone_of(block(10, 30), Evidence.SIMULATED)
    (planned,) = A0.check(block(15, 25), zone, observed=False).lesions
    assert planned.published == ()
    (seen,) = A0.check(block(15, 25), zone_of(block(10, 30)), observed=True).lesions
    assert seen.published == found_at(5.0)
