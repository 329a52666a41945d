"""Nobody is on both sides of a split."""

import pytest

from netseg.domain import UsageError
from netseg.training.datasets import Lits, fold_of_patient
from netseg.training.datasets.source import DatasetSource
from tests.training.datasets import trees


def test_every_patient_has_one_fold_and_folds_are_even():
    fold_of = fold_of_patient((f"p{n}" for n in range(13)), 5)
    sizes = [list(fold_of.values()).count(fold) for fold in range(5)]
    assert sorted(sizes) == [2, 2, 3, 3, 3]


def test_the_split_depends_on_the_names_alone():
    names = [f"p{n}" for n in range(20)]
    assert fold_of_patient(names, 4) == fold_of_patient([*reversed(names), "p3"], 4)
    assert fold_of_patient(names, 4) != fold_of_patient(names, 4, seed=1)


def test_more_folds_than_patients_are_refused():
    with pytest.raises(ValueError, match=r"folds must lie in \[2, 3\], .* got 4"):
        fold_of_patient("abc", 4)


def test_two_scans_of_one_patient_stay_together(tmp_path):
    """Volumes 0 and 1 are one patient; in no fold do they part, and no case is lost."""
    layout = Lits(root=trees.write_lits(tmp_path / "set", (0, 1, 2, 3, 4)))
    held: list[str] = []
    for fold in range(3):
        both = [
            {
                case.name: case.patient
                for case in DatasetSource(
                    layout=layout,
                    spacing_mm=4.0,
                    cache=tmp_path / "cache",
                    fold=fold,
                    folds=3,
                    held_out=side,
                ).cases()
            }
            for side in (False, True)
        ]
        assert not set(both[0].values()) & set(both[1].values())
        assert len(both[0]) + len(both[1]) == 5
        held += both[1]
    assert sorted(held) == [f"lits-{n}" for n in range(5)]


def test_a_fold_beyond_the_folds_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"fold must lie in \[0, 4\]; got 5"):
        DatasetSource(layout=Lits(root=tmp_path), spacing_mm=3.0, fold=5)
    with pytest.raises(ValueError, match="held_out needs a fold"):
        DatasetSource(layout=Lits(root=tmp_path), spacing_mm=3.0, held_out=True)


def test_too_few_patients_for_the_folds_are_a_matter_of_the_configuration(tmp_path):
    layout = Lits(root=trees.write_lits(tmp_path / "set", (2, 3)))
    source = DatasetSource(layout=layout, spacing_mm=4.0, cache=tmp_path / "c", fold=0)
    with pytest.raises(UsageError, match=r"CONFIG_RANGE: Lits: folds must lie in \[2, 2\]"):
        source.cases()
