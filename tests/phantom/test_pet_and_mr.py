"""Uptake and signal."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import MrSequence, Phase, Quantity
from netseg.geometry.resample import resample
from netseg.phantom import Phantom, Tissue, render_mr, render_pet


def core(phantom: Phantom, inside: np.ndarray, millimetres: float) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(inside, sampling=phantom.grid.spacing_mm) > millimetres


def test_physiologic_uptake_is_as_reported(phantom: Phantom) -> None:
    """Liver 5-8, spleen 14-22, muscle about 0.8 SUVbw, away from the organs' edges."""
    pet = render_pet(phantom, np.random.default_rng(0))
    assert pet.quantity is Quantity.SUVBW
    on_ct = resample(pet, phantom.grid, order=1, outside=0.0).values
    liver = core(
        phantom, phantom.tissues.region(Tissue.LIVER).inside & (phantom.lesions.labels == 0), 8
    )
    spleen = core(phantom, phantom.tissues.region(Tissue.SPLEEN).inside, 8)
    muscle = core(phantom, phantom.tissues.region(Tissue.MUSCLE).inside, 8)
    assert 5.0 < on_ct[liver].mean() < 8.0
    assert 13.0 < on_ct[spleen].mean() < 23.0
    assert on_ct[muscle].mean() == pytest.approx(0.8, abs=0.25)


def test_a_lesion_stands_out_by_its_uptake_after_the_point_spread(phantom: Phantom) -> None:
    """SUV 30 in 24 mm: a 6 mm point spread leaves at least 80 % of it in the middle."""
    pet = render_pet(phantom, np.random.default_rng(0), noise=0.0)
    truth = phantom.truth[0]
    i, j, k = np.rint(pet.grid.to_index(truth.centre_mm.as_array())).astype(int)
    assert 0.8 * truth.suv < pet.values[i, j, k] < 1.1 * truth.suv


def test_the_point_spread_keeps_the_activity(phantom: Phantom) -> None:
    """The integral of uptake over the volume is the same on both grids (5 %: noise off, edges cut)."""
    from netseg.phantom.pet import clean_suv

    truth = clean_suv(phantom, np.random.default_rng(0))
    pet = render_pet(phantom, np.random.default_rng(0), noise=0.0)
    activity = float(truth.sum()) * phantom.grid.voxel_volume_ml
    assert float(pet.values.sum()) * pet.grid.voxel_volume_ml == pytest.approx(activity, rel=0.05)


def test_pet_lies_in_the_frame_of_the_ct_on_its_own_grid(phantom: Phantom) -> None:
    pet = render_pet(phantom, np.random.default_rng(0), spacing_mm=(4.0, 4.0, 4.0))
    assert pet.grid.frame_uid == phantom.grid.frame_uid
    assert pet.grid.spacing_mm == pytest.approx((4.0, 4.0, 4.0))
    assert pet.grid.corners_mm().mean(0) == pytest.approx(phantom.grid.corners_mm().mean(0))
    assert (pet.values >= 0).all()


def test_a_lesion_is_dark_in_the_hepatobiliary_phase_and_bright_on_t2_and_dwi(
    phantom: Phantom,
) -> None:
    lesion = core(phantom, phantom.lesions.region(1).inside, 2)
    liver = core(
        phantom, phantom.tissues.region(Tissue.LIVER).inside & (phantom.lesions.labels == 0), 6
    )

    def ratio(sequence: MrSequence, phase: Phase | None = None) -> float:
        values = render_mr(phantom, sequence, np.random.default_rng(0), phase=phase).values
        return float(values[lesion].mean() / values[liver].mean())

    assert ratio(MrSequence.T1, Phase.HEPATOBILIARY) < 0.7
    assert ratio(MrSequence.T2) > 1.4
    assert ratio(MrSequence.DWI) > 1.4


def test_dwi_is_t2_weakened_by_diffusion(phantom: Phantom) -> None:
    """Liver: ADC 1150e-6 mm2/s, b 800: exp(-0.92) = 0.40 of the b = 0 signal."""
    liver = core(
        phantom, phantom.tissues.region(Tissue.LIVER).inside & (phantom.lesions.labels == 0), 6
    )
    at = [
        render_mr(phantom, MrSequence.DWI, np.random.default_rng(0), b_value=b, noise=0.0)
        .values[liver]
        .mean()
        for b in (0.0, 800.0)
    ]
    assert at[1] / at[0] == pytest.approx(np.exp(-800 * 1150e-6), rel=0.03)
    adc = render_mr(phantom, MrSequence.ADC, np.random.default_rng(0))
    assert adc.quantity is Quantity.ADC
    assert adc.values[liver].mean() == pytest.approx(1150, rel=0.03)


def test_phases_that_do_not_exist_are_refused(phantom: Phantom) -> None:
    with pytest.raises(ValueError, match=r"T1 has one of the phases .* got delayed"):
        render_mr(phantom, MrSequence.T1, np.random.default_rng(0), phase=Phase.DELAYED)
    with pytest.raises(ValueError, match=r"only T1 has contrast phases; got portal_venous for t2"):
        render_mr(phantom, MrSequence.T2, np.random.default_rng(0), phase=Phase.PORTAL_VENOUS)
