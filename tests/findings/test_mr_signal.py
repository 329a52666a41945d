"""MR has no scale: a lesion is so many times as bright as the liver beside it, whatever the gain."""

import numpy as np
import pytest

from netseg.domain import Modality, MrSequence, Phase, Quantity, Series, Volume
from netseg.findings import measure
from tests.findings.bodies import ct, ellipsoid, grid_of, segmentation_of, study_of

GRID = grid_of((60, 60, 40), (3.0, 3.0, 4.0), (-88.5, -88.5, -78.0))
LIVER = ellipsoid(GRID, np.zeros(3), (86.0, 86.0, 76.0))
LESION = ellipsoid(GRID, np.array([40.0, 0.0, 0.0]), (12.0,) * 3)
NATIVE, ARTERIAL, PORTAL, DELAYED, LATE = (
    Phase.NATIVE,
    Phase.LATE_ARTERIAL,
    Phase.PORTAL_VENOUS,
    Phase.DELAYED,
    Phase.HEPATOBILIARY,
)


def t1(
    phase, times, *, gain=1.0, drift=0.0, noise=0.0, key="", b_value=None, sequence=MrSequence.T1
):
    """Liver of signal 200, a lesion so many times as bright, coils that drift along x."""
    x = GRID.to_mm(np.moveaxis(np.indices(GRID.shape), 0, -1))[..., 0]
    values = np.where(LESION, 200.0 * times, np.where(LIVER, 200.0, 40.0)) * (1 + drift * x)
    values += np.random.default_rng(1).normal(0, noise, GRID.shape)
    return Series(
        key=key or f"mr_{sequence}_{phase}_{b_value}",
        modality=Modality.MR,
        volume=Volume((gain * values).astype(np.float32), GRID, Quantity.ARBITRARY),
        phase=phase,
        sequence=sequence,
        b_value=b_value,
    )


def lesion_of(*series, liver=LIVER):
    return measure(study_of(*series), segmentation_of(LESION, GRID, liver)).lesions[0]


@pytest.mark.parametrize("gain", [1.0, 37.5])
def test_the_ratio_is_that_of_the_signals_at_any_gain(gain):
    lesion = lesion_of(t1(ARTERIAL, 1.3, gain=gain))
    assert lesion.measures["signal_ratio_t1_late_arterial"] == pytest.approx(1.3, rel=1e-5)
    used = next(r for r in lesion.regions if "signal_ratio_t1_late_arterial" in r.measures)
    assert "within 30 mm" in used.name
    assert used.series == "mr_t1_late_arterial_None"


def test_coils_that_drift_by_half_are_compared_where_the_lesion_lies():
    """0.5 % per mm: the liver's middle has 200, around the lesion it has 240, as much as it has."""
    lesion = lesion_of(t1(ARTERIAL, 1.0, drift=0.005))
    assert lesion.measures["signal_ratio_t1_late_arterial"] == pytest.approx(1.0, abs=0.03)
    assert lesion.signs["arterial_hyperenhancement"] is False  # the whole liver would say 1.2


def test_contrast_to_noise():
    """A fifth of 200 in noise of 20: twice the noise."""
    lesion = lesion_of(t1(PORTAL, 1.2, noise=20.0))
    assert lesion.measures["cnr_t1_portal_venous"] == pytest.approx(2.0, abs=0.15)


def test_bright_after_contrast_alone_is_enhancement():
    lesion = lesion_of(t1(NATIVE, 0.9), t1(ARTERIAL, 1.2), t1(PORTAL, 0.85))
    assert lesion.signs["arterial_hyperenhancement"] is True
    assert lesion.signs["washout"] is True
    assert not lesion.unknown.keys() & {"arterial_hyperenhancement", "washout"}
    bleeding = lesion_of(t1(NATIVE, 1.2), t1(ARTERIAL, 1.2), t1(PORTAL, 0.85))
    assert bleeding.signs["arterial_hyperenhancement"] is False
    assert "washout" not in bleeding.signs


def test_bright_without_a_native_series_stays_unknown_and_dark_does_not():
    bright = lesion_of(t1(ARTERIAL, 1.2))
    assert "arterial_hyperenhancement" not in bright.signs
    assert "no native T1" in bright.unknown["arterial_hyperenhancement"]
    assert lesion_of(t1(ARTERIAL, 0.8)).signs["arterial_hyperenhancement"] is False


def test_noise_can_hide_it():
    noisy = lesion_of(t1(NATIVE, 1.0, noise=500.0), t1(ARTERIAL, 1.4, noise=500.0))
    assert "arterial_hyperenhancement" not in noisy.signs
    assert "noise" in noisy.unknown["arterial_hyperenhancement"]


def test_late_darkness_is_no_washout_when_hepatocytes_take_the_agent_up():
    seen = [t1(NATIVE, 0.9), t1(ARTERIAL, 1.3), t1(PORTAL, 1.0), t1(DELAYED, 0.7)]
    assert lesion_of(*seen).signs["washout"] is True
    taken_up = lesion_of(*seen, t1(LATE, 0.4))
    assert taken_up.signs["washout"] is False
    assert taken_up.measures["signal_ratio_t1_hepatobiliary"] == pytest.approx(0.4)


def test_ct_tells_first():
    """30 HU over the liver in the arterial CT; an MR that would deny it does not overrule it."""
    arterial = ct(np.where(LESION, 110.0, np.where(LIVER, 80.0, -100.0)), GRID, ARTERIAL)
    lesion = lesion_of(arterial, t1(NATIVE, 1.0), t1(ARTERIAL, 0.8))
    assert lesion.signs["arterial_hyperenhancement"] is True


def test_series_are_told_apart_by_weighting_and_key():
    diffusion = [t1(None, 1.5, sequence=MrSequence.DWI, b_value=b) for b in (50.0, 800.0)]
    twice = [t1(None, 1.5, sequence=MrSequence.T2, key=k) for k in ("mr_t2_a", "mr_t2_b")]
    found = {n for n in lesion_of(*diffusion, *twice).measures if n.startswith("signal_ratio")}
    assert found == {
        "signal_ratio_dwi_b50",
        "signal_ratio_dwi_b800",
        "signal_ratio_mr_t2_a",
        "signal_ratio_mr_t2_b",
    }


def test_what_cannot_be_compared_is_said():
    shell = ellipsoid(GRID, np.array([40.0, 0.0, 0.0]), (16.0,) * 3)
    alone = lesion_of(t1(ARTERIAL, 1.3), liver=shell)
    assert "less than 2 ml" in alone.unknown["signal_ratio_t1_late_arterial"]
    nobody = lesion_of(t1(ARTERIAL, 1.3), liver=None)
    assert "less than 2 ml" in nobody.unknown["signal_ratio_t1_late_arterial"]
    black = lesion_of(t1(ARTERIAL, 1.3, gain=0.0))
    assert "no signal" in black.unknown["signal_ratio_t1_late_arterial"]
