"""The network's zone: its input, its weights, its certainty; what it must not do."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from netseg.cli.registry import build
from netseg.domain import EnvironmentFaultError, Evidence, Grid, LabelMap, Mask, Quantity, Volume
from netseg.domain.errors import StudyRejectedError
from netseg.verify.zone_learned import LearnedZone, surface_spread_mm
from netseg.verify.zone_network import ZoneNetworkSpec, network_input
from netseg.verify.zone_region import Scene
from netseg.verify.zone_weights import SHIPPED, ZoneCard, load_zone_weights

if TYPE_CHECKING:
    from pathlib import Path

EDGE, SIZE, RADIUS = 2.0, 60, 15.0
ORIGIN = (0.0, 0.0, 0.0)


def grid_of(frame: str = "1.2.3") -> Grid:
    affine = np.diag((EDGE, EDGE, EDGE, 1.0))
    affine[:3, 3] = -EDGE * (SIZE - 1) / 2
    return Grid((SIZE, SIZE, SIZE), affine, frame)


def off_mm(at) -> np.ndarray:
    points = grid_of().to_mm(np.moveaxis(np.indices((SIZE,) * 3), 0, -1))
    return np.linalg.norm(points - np.array(at), axis=-1)


def ball(at, radius_mm: float) -> np.ndarray:
    return off_mm(at) <= radius_mm


def scan(zone_hu: float | None = 55.0) -> tuple[Volume, Mask]:
    """A ball of liver of 110 HU in fat, with a zone of 15 mm radius at its middle."""
    liver = ball(ORIGIN, 50.0)
    hu = np.where(liver, 110.0, -95.0)
    if zone_hu is not None:
        share = np.clip((RADIUS - off_mm(ORIGIN)) / EDGE + 0.5, 0.0, 1.0)
        hu = hu + share * (zone_hu - hu)
    noise = np.random.default_rng(0).normal(0.0, 8.0, hu.shape)
    noise = 8.0 * ndimage.gaussian_filter(noise, 0.5) / ndimage.gaussian_filter(noise, 0.5).std()
    return Volume((hu + noise).astype(np.int16), grid_of(), Quantity.HU), Mask(liver, grid_of())


def lesions(at=ORIGIN, radius_mm: float = 8.0, frame: str = "1.2.3") -> LabelMap:
    return LabelMap(ball(at, radius_mm).astype(np.uint8), grid_of(frame))


def test_a_ball_is_found_about_as_large_as_it_is() -> None:
    """R 15: 14.1 ml."""
    control, liver = scan()
    zone = LearnedZone().zone(control, lesions(), liver)
    truth = ball(ORIGIN, RADIUS)
    assert 2 * (zone.mask.inside & truth).sum() / (zone.mask.inside.sum() + truth.sum()) > 0.9
    assert zone.evidence is Evidence.CONTROL_SCAN
    assert zone.boundary_sd_mm is not None
    assert 0.2 < zone.boundary_sd_mm < 4.0
    assert str(zone.provenance["method"]).startswith("network ")
    assert len(str(zone.provenance["weights_sha256"])) == 64


def test_a_liver_without_a_zone_is_refused() -> None:
    control, liver = scan(None)
    with pytest.raises(StudyRejectedError, match=r"at none of the lesions \[1\]"):
        LearnedZone().zone(control, lesions(), liver)


def test_the_same_scan_gives_the_same_bytes() -> None:
    control, liver = scan()
    first, second = (LearnedZone().zone(control, lesions(), liver) for _ in range(2))
    assert first.mask.inside.tobytes() == second.mask.inside.tobytes()


def test_a_configuration_may_name_it() -> None:
    assert build({"_target_": "learned_zone"}) == LearnedZone()


def test_the_spread_of_a_surface_follows_from_how_slowly_its_probability_falls() -> None:
    """A ball of 15 mm whose surface lies within 1.5 or 3 mm, one standard deviation."""
    for sd_mm in (1.5, 3.0):
        p = stats.norm.cdf((RADIUS - off_mm(ORIGIN)) / sd_mm)
        found = surface_spread_mm(p, p > 0.5, scene(ball(ORIGIN, 50.0)))
        assert found == pytest.approx(sd_mm, rel=0.2)


def test_a_surface_known_to_the_voxel_has_hardly_any_spread() -> None:
    share = np.clip((RADIUS - off_mm(ORIGIN)) / EDGE + 0.5, 0.0, 1.0)
    assert surface_spread_mm(share, share > 0.5, scene(ball(ORIGIN, 50.0))) < 0.35


def scene(liver: np.ndarray) -> Scene:
    return Scene(
        values=np.zeros(liver.shape, np.float32), liver=liver, lesion=ball(ORIGIN, 5.0),
        spacing_mm=EDGE, edge_mm=1.5, is_hu=True,
    )  # fmt: skip


def test_brightness_counts_from_the_liver_in_steps_of_forty_hu() -> None:
    """Liver 110, zone 50: minus one and a half; gas is cut at minus four; a plan is half a seed."""
    control, liver = scan(50.0)
    values = control.values.astype(np.float32)
    values[ball((0, 0, 40.0), 3.0)] = -800.0
    x = network_input(values, liver.inside, ball(ORIGIN, 5.0), ball(ORIGIN, 12.0), is_hu=True)
    assert x.shape == (3, SIZE, SIZE, SIZE)
    middle, plan = ball(ORIGIN, 5.0), ball(ORIGIN, 12.0) & ~ball(ORIGIN, 5.0)
    assert float(x[0].numpy()[ball(ORIGIN, 11.0)].mean()) == pytest.approx(-1.5, abs=0.1)
    assert float(x[0].min()) == -4.0
    assert np.unique(x[1].numpy()[middle]).tolist() == [1.0]
    assert np.unique(x[1].numpy()[plan]).tolist() == [0.5]


def test_without_liver_there_is_no_input() -> None:
    nothing = np.zeros((8, 8, 8), bool)
    with pytest.raises(ValueError, match="must hold 50 voxels; got 0"):
        network_input(np.zeros((8, 8, 8)), nothing, nothing, None, is_hu=True)


def test_the_network_is_small_and_keeps_the_shape() -> None:
    network = ZoneNetworkSpec().build()
    assert sum(p.numel() for p in network.parameters()) <= 600_000
    assert SHIPPED.stat().st_size <= 1.3e6
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 16, 24, 8)).shape == (1, 1, 16, 24, 8)


@pytest.mark.parametrize(("change", "met"), [({"filters": (30,)}, "30"), ({"fine": 3}, "3"), ({"spacing_mm": 0.0}, "0.0")])  # fmt: skip
def test_an_impossible_network_is_refused(change: dict, met: str) -> None:
    with pytest.raises(ValueError, match=met):
        ZoneNetworkSpec(**change)


@pytest.mark.parametrize("reach_mm", [0.0, float("nan")])
def test_an_impossible_reach_is_refused(reach_mm: float) -> None:
    with pytest.raises(ValueError, match="reach_mm must be a positive length"):
        LearnedZone(reach_mm=reach_mm)


def copied(folder: Path) -> Path:
    for ending in (".safetensors", ".json"):
        shutil.copy(SHIPPED.with_suffix(ending), folder / f"zone{ending}")
    return folder / "zone.safetensors"


def test_the_shipped_weights_are_those_of_their_card() -> None:
    card, _ = load_zone_weights(SHIPPED)
    assert card.temperature > 0
    assert "no scan of an ablated patient" in card.about["training_data"]
    assert ZoneCard.read(SHIPPED.with_suffix(".json")) == card


def test_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    path = copied(tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(EnvironmentFaultError, match=r"is not the .* of the model card"):
        load_zone_weights(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = copied(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    card["network"]["fine"] = 12
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(EnvironmentFaultError, match="tensors are not those of"):
        load_zone_weights(path)


def test_a_card_without_its_numbers_is_refused(tmp_path: Path) -> None:
    path = copied(tmp_path)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(EnvironmentFaultError, match="model card cannot be read: KeyError"):
        load_zone_weights(path)


def test_missing_and_pickled_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFaultError, match="there is no weights file"):
        load_zone_weights(tmp_path / "zone.safetensors")
    with pytest.raises(EnvironmentFaultError, match="only safetensors files are read"):
        load_zone_weights(tmp_path / "zone.pt")
    with pytest.raises(EnvironmentFaultError, match="is not beside the weights"):
        ZoneCard.read(tmp_path / "zone.json")
