"""Which series is segmented."""

from dataclasses import replace

import numpy as np
import pytest

from netseg.domain import (
    Code,
    Grid,
    Modality,
    Phase,
    Quantity,
    Series,
    Study,
    StudyRejectedError,
    Volume,
)
from netseg.segment import choose
from netseg.segment.inputs import cubic


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
        ((None,), 0),
    ],
)
def test_outlines_are_drawn_on_the_portal_venous_phase_first_and_on_an_unknown_one_last(
    phases, expected
):
    inputs = choose(study(*(series(f"ct{n}", phase) for n, phase in enumerate(phases))))
    assert inputs.series[inputs.reference].key == f"ct{expected}"


def test_of_two_portal_venous_series_the_thinner_slices_win():
    found = study(
        series("thick", Phase.PORTAL_VENOUS, slice_mm=5.0),
        series("thin", Phase.PORTAL_VENOUS, slice_mm=1.5),
    )
    assert choose(found).series["ct_portal"].key == "thin"


def test_a_study_that_fills_no_channel_is_refused():
    found = study(series("adc", modality=Modality.MR, quantity=Quantity.ADC))
    with pytest.raises(StudyRejectedError, match=r"NO_USABLE_SERIES: .* the study has adc"):
        choose(found)


def test_a_pet_in_becquerels_is_not_read_as_suv():
    pet = replace(
        series("pt", modality=Modality.PT, quantity=Quantity.BQML), tracer="ga68_dotatate"
    )
    with pytest.raises(StudyRejectedError, match="SSTR or FDG PET in SUV"):
        choose(study(pet))
    suv = replace(pet, volume=replace(pet.volume, quantity=Quantity.SUVBW))
    assert choose(study(suv)).reference == "pet_sstr"


def test_a_pet_of_an_unknown_tracer_fills_no_channel():
    pet = series("pt", modality=Modality.PT, quantity=Quantity.SUVBW)
    ct = series("ct", Phase.PORTAL_VENOUS)
    assert list(choose(study(ct, pet)).series) == ["ct_portal"]


def test_a_series_of_another_frame_is_left_out_and_named():
    other = series("late", Phase.LATE_ARTERIAL)
    elsewhere = replace(other.volume.grid, frame_uid="9.9")
    other = replace(other, volume=replace(other.volume, grid=elsewhere))
    inputs = choose(study(series("portal", Phase.PORTAL_VENOUS), other))
    assert list(inputs.series) == ["ct_portal"]
    assert [n.code for n in inputs.notices] == [Code.SERIES_SKIPPED]
    assert "late lies in another frame" in inputs.notices[0].message


def test_a_phase_nobody_named_is_told():
    inputs = choose(study(series("ct")))
    assert [n.code for n in inputs.notices] == [Code.PHASE_UNKNOWN]
    assert "taken as portal" in inputs.notices[0].message


def test_channels_that_were_not_asked_for_are_not_read():
    both = study(series("a", Phase.LATE_ARTERIAL), series("p", Phase.PORTAL_VENOUS))
    assert list(choose(both, ["ct_arterial"]).series) == ["ct_arterial"]


def test_a_point_of_the_patient_has_one_value_on_whichever_grid_it_comes():
    """A ramp of 2 HU per millimetre along x, once on the reference's grid, once turned and coarse."""
    turned = np.array([[0, 0, 4.0, -6], [0, -3.0, 0, 30], [3.0, 0, 0, -10], [0, 0, 0, 1]])
    grids = (
        Grid(shape=(20, 20, 20), affine_lps=np.eye(4), frame_uid="1.2"),
        Grid(shape=(12, 14, 9), affine_lps=turned, frame_uid="1.2"),
    )
    made = []
    for grid, phase in zip(grids, (Phase.PORTAL_VENOUS, Phase.LATE_ARTERIAL), strict=True):
        index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1)
        values = 2.0 * grid.to_mm(index.reshape(-1, 3))[:, 0].reshape(grid.shape)
        volume = Volume(values.astype(np.float32), grid, Quantity.HU)
        made.append(Series(key=str(phase), modality=Modality.CT, volume=volume, phase=phase))
    inputs = choose(study(*made))
    images = inputs.images(cubic(inputs.axes, 2.0))
    inner = (slice(2, 8), slice(2, 8), slice(2, 6))
    assert images["ct_arterial"][inner].numpy() == pytest.approx(
        images["ct_portal"][inner].numpy(), abs=0.01
    )
    assert float(images["ct_portal"][3, 3, 3]) == pytest.approx(2.0 * 6.5)  # voxels 6 and 7
