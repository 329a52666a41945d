"""The hold-out of synthetic patients: frozen, whole and with what can be seen stated."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from netseg.phantom.holdout import FIRST_SEED, HoldoutCase, contrast_table, holdout_case

CHANNELS = ("ct_portal", "ct_arterial")


@pytest.fixture(scope="module")
def case() -> HoldoutCase:
    """The hold-out's third patient on coarse voxels."""
    return holdout_case(FIRST_SEED + 2, CHANNELS, 5.0)


def test_a_seed_of_training_is_refused() -> None:
    with pytest.raises(ValueError, match="start at 900000; got 899999"):
        holdout_case(FIRST_SEED - 1, CHANNELS, 5.0)


def test_a_case_is_a_whole_liver_with_its_images(case: HoldoutCase) -> None:
    assert tuple(case.images) == CHANNELS
    edge = case.liver.clone()
    edge[1:-1, 1:-1, 1:-1] = False
    assert not bool(edge.any())
    assert 1.1 < float(case.liver.sum()) * 0.125 / 1000 < 2.0  # litres
    assert torch.equal(case.segments > 0, case.liver)
    for image in case.images.values():
        assert image.shape == case.liver.shape


def test_every_lesion_is_one_piece_apart_from_the_others_and_as_large_as_stated(
    case: HoldoutCase,
) -> None:
    from scipy.ndimage import label

    pieces: Any = label((case.instances > 0).numpy(), torch.ones(3, 3, 3).numpy())
    assert pieces[1] == len(case.lesions) > 0
    volumes = [lesion.volume_ml for lesion in case.lesions]
    assert volumes == sorted(volumes, reverse=True)
    for lesion in case.lesions:
        assert lesion.volume_ml == pytest.approx(
            int((case.instances == lesion.number).sum()) * 0.125
        )
        sphere_ml = 3.14159265 / 6 * lesion.equivalent_diameter_mm**3 / 1000
        assert sphere_ml == pytest.approx(lesion.volume_ml)
        assert max(lesion.cnr.values()) >= 0.7


def test_the_same_seed_gives_the_same_case(case: HoldoutCase) -> None:
    again = holdout_case(case.seed, CHANNELS, 5.0)
    assert torch.equal(again.instances, case.instances)
    assert all(torch.equal(again.images[c], case.images[c]) for c in CHANNELS)


def test_the_table_counts_every_lesion_once_a_channel(case: HoldoutCase) -> None:
    rows = contrast_table([case, case])
    for channel in CHANNELS:
        counted = [int(row["lesions"]) for row in rows if row["channel"] == channel]
        assert sum(counted) == 2 * len(case.lesions)
    assert all(row["cnr_10"] <= row["cnr_50"] <= row["cnr_90"] for row in rows)
    assert contrast_table([]) == []


def test_the_hold_out_is_frozen(case: HoldoutCase) -> None:
    """Figures measured on it can be compared only while these lesions stay what they are.

    A change of the generator that moves them is a new hold-out: say so where figures are told.
    """
    drawn = [(lesion.kind, round(lesion.diameter_mm)) for lesion in case.lesions]
    assert drawn == [
        ("hypervascular", 57),
        ("necrotic", 39),
        ("necrotic", 28),
        ("hypervascular", 19),
        ("hypervascular", 15),
    ]
    assert case.mimics == {"cyst": 1, "haemangioma": 1}
