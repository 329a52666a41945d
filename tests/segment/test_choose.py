"""Which series is segmented."""

import numpy as np
import pytest

from netseg.domain import Grid, Modality, Phase, Quantity, Series, Study, StudyRejectedError, Volume
from netseg.segment import choose_ct


def series(key, phase=None, modality=Modality.CT, slice_mm=1.0, quantity=Quantity.HU):
    grid = Grid(shape=(5, 5, 5), affine_lps=np.diag((1.0, 1.0, slice_mm, 1.0)), frame_uid="1.2")
    volume = Volume(np.zeros((5, 5, 5), np.int16), grid, quantity)
    return Series(key=key, modality=modality, volume=volume, phase=phase)


def study(*all_series):
    return Study(case_id="p", series=all_series)


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ((Phase.NATIVE, Phase.LATE_ARTERIAL, Phase.PORTAL_VENOUS), 2),
        ((Phase.DELAYED, Phase.LATE_ARTERIAL), 1),
        ((None, Phase.NATIVE), 1),
        ((Phase.NATIVE, Phase.DELAYED), 1),
    ],
)
def test_the_portal_venous_phase_comes_first_and_the_unknown_one_last(phases, expected):
    found = study(*(series(f"ct{n}", phase) for n, phase in enumerate(phases)))
    assert choose_ct(found).key == f"ct{expected}"


def test_of_two_portal_venous_series_the_thinner_slices_win():
    found = study(
        series("thick", Phase.PORTAL_VENOUS, slice_mm=5.0),
        series("thin", Phase.PORTAL_VENOUS, slice_mm=1.5),
    )
    assert choose_ct(found).key == "thin"


def test_a_study_without_ct_is_refused_by_the_built_in_networks():
    found = study(series("mr_t1", modality=Modality.MR, quantity=Quantity.ARBITRARY))
    with pytest.raises(StudyRejectedError, match=r"NO_USABLE_SERIES: .* the study has mr_t1"):
        choose_ct(found)
